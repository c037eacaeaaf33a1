/** `vm.json` in a task's directory: which machine is the task's. It stands there from before the task begins until all of it is gone. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { oneOf, orNull, record, text, whole } from '#supervisor/check.ts';
import { checkNetworkBundle } from '#supervisor/messages.ts';
import type { NetworkBundle } from '#supervisor/protocol.ts';
import type { Shape } from './shape.ts';

export type VmFile = {
  vmId: string;
  shape: Shape;
  cpuMillis: number;
  network: NetworkBundle | null;
  /** `suspended`: its memory is on disk, and no machine runs. `resuming`: it is loaded and may go on, but was not told of it yet. */
  phase: 'running' | 'suspended' | 'resuming';
};

const check = record({
  vmId: text(64),
  shape: record({ accelerator: oneOf('kvm', 'tcg'), cpus: whole(1), ramBytes: whole(1) }),
  cpuMillis: whole(),
  network: orNull(checkNetworkBundle),
  phase: oneOf('running', 'suspended', 'resuming'),
});

export function writeVmFile(dir: string, file: VmFile): void {
  const path = join(dir, 'vm.json');
  writeFileSync(`${path}.new`, JSON.stringify(file), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** null when the task has no machine. Throws Internal for a file that can't be read. */
export function readVmFile(dir: string): VmFile | null {
  const path = join(dir, 'vm.json');
  try {
    return check(JSON.parse(readFileSync(path, 'utf8')), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Fault('Internal', `${path} can't be read`, { cause: error });
  }
}
