/** What the pool of a platform's microVMs looks like from outside: machines that no task has, and whether they work on something. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '#base/limits.ts';
import { readVmFile } from '#sandbox/microvm/vm-file.ts';
import type { Bed } from './bed.ts';

const LOOK_MS = 250;
/** A machine that takes less of a processor than this has nothing more to do: its rehearsal is over. Timers of its kernel go on. */
const QUIET_TICKS = 2;
const QUIET_LOOKS = 2;
const TIMEOUT_MS = 60_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until no task has a machine, and the pool is full and at rest; gives the ids of its machines. */
export async function untilPoolRests(bed: Bed): Promise<Set<string>> {
  const root = join(bed.berth.state, 'host/vms');
  const deadline = Date.now() + TIMEOUT_MS;
  let ticks = new Map<string, number>();
  for (let quiet = 0; quiet < QUIET_LOOKS;) {
    await pause(LOOK_MS);
    const now = new Map(namesIn(root).map((vmId) => [vmId, ticksOf(join(root, vmId))]));
    const rests = [...now].every(([vmId, taken]) => taken - (ticks.get(vmId) ?? NaN) <= QUIET_TICKS);
    const full = tasksOf(bed).length === 0 && now.size === limits.poolPerShape;
    quiet = full && rests ? quiet + 1 : 0;
    ticks = now;
    const seen = `${tasksOf(bed).length} tasks, machines and their ticks: ${[...now].flat().join(' ')}`;
    if (Date.now() > deadline) throw new Error(`the pool of microVMs did not fill itself within ${TIMEOUT_MS / 1000} s (${seen})`);
  }
  return new Set(ticks.keys());
}

/** The machine of a task that has one. */
export function machineOf(bed: Bed, taskId: string): string | undefined {
  return readVmFile(join(bed.berth.state, 'host/tasks', taskId))?.vmId;
}

const tasksOf = (bed: Bed) => namesIn(join(bed.berth.state, 'host/tasks')).filter((id) => machineOf(bed, id) !== undefined);

/** Of QEMU, the one child of its monitor. */
function ticksOf(dir: string): number {
  try {
    const monitor = readFileSync(join(dir, 'sup.pid'), 'utf8').trim();
    const qemu = readFileSync(`/proc/${monitor}/task/${monitor}/children`, 'utf8').trim().split(' ')[0];
    const fields = readFileSync(`/proc/${qemu}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return NaN; // it just begins, or just ended
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // nothing ever ran
  }
}
