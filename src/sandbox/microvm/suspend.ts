/**
 * A task that stands still: its memory and devices in `suspended` in its machine's directory, no QEMU, no CPU time, no RAM. Its disks stay
 * where they are. `vm.json` says which of the two it is, and is written when the new state is whole and before the old one may change:
 * memory that is older than its disks must never go on. So whoever comes after a crash finds one of the two.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { insertDisk } from './disks.ts';
import { readExit } from './exit.ts';
import type { GuestLink } from './control.ts';
import type { MachinePaths } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import { connectQmp } from './qmp.ts';
import type { Qmp, QmpArguments } from './qmp.ts';
import { imageSlots, SCRATCH, volumeSlots } from './render.ts';
import type { TaskOfMachine } from './sandbox.ts';
import { saveState } from './save.ts';
import { moment } from './start.ts';
import { writeVmFile } from './vm-file.ts';
import type { VmFile } from './vm-file.ts';

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
      enter(task, 'suspended');
    } catch (error) {
      task.file.phase = 'running';
      rmSync(join(paths.dir, STATE), { force: true });
      await goOn(clock, monitor);
      throw error;
    }
    // It may end before it answers.
    await monitor.run('quit').catch(() => {});
    await ended(parts, paths, pid);
  } finally {
    monitor.close();
  }
}

/** The machine stands still for the time of `work`, and all that it wrote is in its disks' files. A crash in between is mended by `settleMachine`. */
export async function withStillMachine(parts: MicrovmParts, task: TaskOfMachine, work: () => Promise<void>): Promise<void> {
  const { clock } = parts.deps;
  const monitor = await connectQmp(clock, parts.machines.pathsOf(task.file.vmId).qmp);
  try {
    await monitor.run('stop');
    try {
      await work();
    } finally {
      await goOn(clock, monitor);
    }
  } finally {
    monitor.close();
  }
}

function enter(task: TaskOfMachine, phase: VmFile['phase']): void {
  task.file.phase = phase;
  writeVmFile(task.dir, task.file);
}

/** QEMU has ended, and who tends it. */
async function ended(parts: MicrovmParts, paths: MachinePaths, pid: string): Promise<void> {
  for (let waited = 0; waited < limits.qmpCommandMs; waited += 20) {
    if (readExit(paths.dir) !== null && !existsSync(`/proc/${pid}`)) break;
    await parts.deps.clock.sleep(20);
  }
  // What hasn't ended is ended; what has leaves its cgroup.
  await parts.machines.end(paths);
}

/** The machine goes on with the time and the randomness of now; gives the connection to its supervisor. On failure it is still suspended. */
export async function resumeMachine(parts: MicrovmParts, task: TaskOfMachine): Promise<GuestLink> {
  const paths = parts.machines.pathsOf(task.file.vmId);
  rmSync(join(paths.dir, 'exit.json'), { force: true });
  const monitor = await parts.machines.resume(paths, task.file.shape, join(paths.dir, STATE), (qmp) => insertAll(paths, qmp));
  try {
    if (task.file.network !== null) await parts.deps.worker.vmNetwork({ dir: paths.dir, tap: 'tap0', network: task.file.network });
    enter(task, 'resuming');
  } catch (error) {
    task.file.phase = 'suspended';
    monitor.close();
    await parts.machines.end(paths);
    throw error;
  }
  monitor.close();
  return wakeMachine(parts, task);
}

/** The second half of a resume. */
async function wakeMachine(parts: MicrovmParts, task: TaskOfMachine): Promise<GuestLink> {
  const paths = parts.machines.pathsOf(task.file.vmId);
  await keepRunning(parts, paths);
  const link = await parts.machines.dial(paths);
  link.send({ t: 'resumed', ...moment(parts) });
  enter(task, 'running');
  return link;
}

/**
 * After a crash of the host agent, in the middle of a suspend or a resume too. Gives the connection to the machine's supervisor where one
 * was made; null when it is suspended, or runs and none was needed.
 */
export async function settleMachine(parts: MicrovmParts, task: TaskOfMachine): Promise<GuestLink | null> {
  const paths = parts.machines.pathsOf(task.file.vmId);
  // It was written down whole; a QEMU that is still there was about to end, or had not begun to go on.
  if (task.file.phase === 'suspended') return parts.machines.end(paths).then(() => null);
  if (task.file.phase === 'resuming') return wakeMachine(parts, task);
  await keepRunning(parts, paths);
  return null;
}

async function keepRunning(parts: MicrovmParts, paths: MachinePaths): Promise<void> {
  const monitor = await connectQmp(parts.deps.clock, paths.qmp);
  try {
    await goOn(parts.deps.clock, monitor);
  } finally {
    monitor.close();
  }
  rmSync(join(paths.dir, STATE), { force: true });
}

/** Whatever it was in the middle of. */
async function goOn(clock: Clock, monitor: Qmp): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { status } = (await monitor.run('query-status')) as QmpArguments;
    if (status === 'running') return;
    await monitor.run('migrate_cancel');
    try {
      return void (await monitor.run('cont'));
    } catch (error) {
      // It is not yet through with giving up what it wrote.
      if (tries >= limits.qmpGoOnTries) throw asFault(error);
      await clock.sleep(20);
    }
  }
}

/** The disks that the task was given: their files stand in the machine's directory under the disks' names. */
async function insertAll(paths: MachinePaths, monitor: Qmp): Promise<void> {
  for (const slot of [SCRATCH, ...imageSlots, ...volumeSlots]) {
    if (!existsSync(join(paths.dir, slot))) continue;
    await insertDisk(monitor, { slot, path: `/vm/${slot}`, readOnly: imageSlots.includes(slot) });
  }
}
