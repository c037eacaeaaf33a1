/** What the microVM driver needs of the kernel worker (supervisor/worker-client.ts). */
import type { WorkerClient } from '#supervisor/worker-client.ts';
import type { FilesBundle, VmBundle } from '#supervisor/protocol.ts';

export type { FilesBundle, VmBundle };

export type VmWorker = Pick<
  WorkerClient,
  'vmStart' | 'vmNetwork' | 'filesStart' | 'routerRules' | 'cgroupLimit' | 'taskClean' | 'removeTree' | 'scratchMake'
>;
