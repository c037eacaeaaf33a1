/** The CPU quota of a machine's group begins with the first container, so that nothing holds up the way there. */
import { asFault } from '#base/fault.ts';
import type { SandboxState } from '../driver.ts';
import type { MachinePaths } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import type { VmFile } from './vm-file.ts';

export function createQuota(parts: MicrovmParts, file: VmFile, paths: MachinePaths): { look(state: SandboxState): void } {
  const { worker, log } = parts.deps;
  // Under software emulation the guest's own group enforces it: the emulator's work is not the task's.
  let due = file.shape.accelerator === 'kvm';
  return {
    look(state) {
      if (!due || !state.containers.some((one) => one.status === 'running')) return;
      due = false;
      worker
        .cgroupLimit(paths.cgroup, { cpuMillis: file.cpuMillis, cpuShares: null, memoryBytes: null, pids: null })
        .catch((error: unknown) => log.warn('microvm.quota', { vmId: paths.vmId, reason: asFault(error).message }));
    },
  };
}
