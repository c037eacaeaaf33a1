/**
 * A task that stands still: its memory and devices in `suspended` in its machine's directory, no QEMU, no CPU time, no RAM. Its disks stay
 * where they are. `vm.json` says which of the two it is, and is written when the new state is whole.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { insertDisk } from './disks.ts';
import { readExit } from './exit.ts';
import type { GuestLink } from './control.ts';
import type { MachinePaths } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import { connectQmp } from './qmp.ts';
import type { Qmp } from './qmp.ts';
import { imageSlots, SCRATCH } from './render.ts';
import type { TaskOfMachine } from './sandbox.ts';
import { saveState } from './save.ts';
import { moment } from './start.ts';
import { writeVmFile } from './vm-file.ts';

const STATE = 'suspended';

/** Throws Fault when the machine could not be written down; it then runs on. */
export async function suspendMachine(parts: MicrovmParts, task: TaskOfMachine): Promise<void> {
  const { clock } = parts.deps;
  const paths = parts.machines.pathsOf(task.file.vmId);
  const monitor = await connectQmp(clock, paths.qmp);
  try {
    const pid = readFileSync(join(paths.dir, 'sup.pid'), 'utf8').trim();
    await monitor.run('stop');
    try {
      await saveState({ dir: paths.dir, monitor }, join(paths.dir, STATE), []);
    } catch (error) {
      rmSync(join(paths.dir, STATE), { force: true });
      await monitor.run('cont');
      throw error;
    }
    task.file.suspended = true;
    writeVmFile(task.dir, task.file);
    await monitor.run('quit');
    await ended(parts, paths, pid);
  } finally {
    monitor.close();
  }
}

/** QEMU has ended, and who tends it. */
async function ended(parts: MicrovmParts, paths: MachinePaths, pid: string): Promise<void> {
  for (let waited = 0; waited < limits.qmpCommandMs; waited += 20) {
    if (readExit(paths.dir) !== null && !existsSync(`/proc/${pid}`)) return;
    await parts.deps.clock.sleep(20);
  }
  throw new Fault('TimedOut', `the machine ${paths.vmId} was told to end, and did not within ${limits.qmpCommandMs} ms`);
}

/** The machine goes on with the time and the randomness of now; gives the connection to its supervisor. */
export async function resumeMachine(parts: MicrovmParts, task: TaskOfMachine): Promise<GuestLink> {
  const paths = parts.machines.pathsOf(task.file.vmId);
  rmSync(join(paths.dir, 'exit.json'), { force: true });
  const machine = await parts.machines.resume(paths, task.file.shape, join(paths.dir, STATE), (monitor) => insertAll(paths, monitor));
  machine.monitor.close();
  if (task.file.network !== null) await parts.deps.worker.vmNetwork({ dir: paths.dir, tap: 'tap0', network: task.file.network });
  machine.link.send({ t: 'resumed', ...moment(parts) });
  task.file.suspended = false;
  writeVmFile(task.dir, task.file);
  rmSync(join(paths.dir, STATE), { force: true });
  return machine.link;
}

/** The disks that the task was given: their files stand in the machine's directory under the disks' names. */
async function insertAll(paths: MachinePaths, monitor: Qmp): Promise<void> {
  for (const slot of [SCRATCH, ...imageSlots]) {
    if (!existsSync(join(paths.dir, slot))) continue;
    await insertDisk(monitor, { slot, path: `/vm/${slot}`, readOnly: slot !== SCRATCH });
  }
}
