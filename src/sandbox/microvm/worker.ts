/** What the microVM driver needs of the kernel worker (supervisor/worker-client.ts). */
import type { WorkerClient } from '#supervisor/worker-client.ts';
import type { VmBundle } from '#supervisor/protocol.ts';

export type { VmBundle };

export type VmWorker = Pick<WorkerClient, 'vmStart' | 'vmNetwork' | 'cgroupLimit' | 'taskClean' | 'removeTree' | 'scratchMake'>;
