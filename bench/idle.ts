/**
 * What 100 idle tasks cost: the platform's memory and CPU, and beside docker the memory by which all processes of each side grew (the
 * platform's or the daemon's own share too) and the kernel with them.
 */
import { readFileSync } from 'node:fs';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { kernelKib, namespaceMates, pids, processesKib, pssKib, withDescendants } from './memory.ts';
import { median, report } from './promises.ts';

const TASKS = 100;
const WATCH_S = 60;
const FREED_AFTER_MS = 10_000;
const LOOKS = 7;
const LOOK_MS = 500;
const REST_KIB = 2048;
const LOOKS_AT_MOST = 40;

export async function idle(bed: Bed): Promise<boolean> {
  await bed.define('idle', ['3600']);
  const docker = await dockerMemory(bed);
  const ours = () => withDescendants(pidsOf(bed.berth.state, () => true));
  const empty = await settled(ours);
  const arns = (await Promise.all(Array.from({ length: TASKS / 10 }, () => bed.runTasks('idle', 10)))).flat().map((t) => t.taskArn ?? '');
  const started = await bed.stamps('idle', arns, 60_000);
  if (started.size !== TASKS) throw new Error(`${TASKS - started.size} of ${TASKS} idle tasks did not start`);
  const task = grownMib(empty, await settled(ours));

  const state = bed.berth.state;
  const platform = [...pidsOf(state, runs('main/control.ts')), ...pidsOf(state, runs('main/host.ts'))];
  const [ticks, began] = [cpuTicks(platform), Date.now()];
  await new Promise((resolve) => setTimeout(resolve, WATCH_S * 1000));
  const percent = ((cpuTicks(platform) - ticks) / 100 / ((Date.now() - began) / 1000)) * 100;
  const platformMib = sum(platform.map((pid) => pssKib(pid))) / 1024;
  const supervisors = pidsOf(state, isSupervisor);
  const supervisorMib = sum(supervisors.map((pid) => pssKib(pid))) / 1024 / Math.max(1, supervisors.length);
  await bed.stopTasks(arns);
  return [
    report('idle-memory', platformMib, `Pss of ${platform.length} processes`),
    report('idle-cpu', percent, `over ${WATCH_S} s`),
    report('task-memory', docker.all / task.all, `MiB per task (processes + kernel): docker ${told(docker)}, berth ${told(task)}`),
    report('supervisor-memory', supervisorMib, `mean of ${supervisors.length}`),
  ].every(Boolean);
}

const told = (of: ReturnType<typeof grownMib>) => `${of.processes.toFixed(2)} + ${of.kernel.toFixed(2)}`;

async function dockerMemory(bed: Bed): Promise<ReturnType<typeof grownMib>> {
  const theirs = () => withDescendants(namespaceMates(bed.docker.pid));
  const before = await settled(theirs);
  const ids: string[] = [];
  for (let i = 0; i < TASKS; i++) ids.push(await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '3600']));
  const after = await settled(theirs);
  await bed.docker.docker(['rm', '-f', ...ids]);
  await new Promise((resolve) => setTimeout(resolve, FREED_AFTER_MS));
  return grownMib(before, after);
}

type Memory = { processesKib: number; kernelKib: number };

/** The kernel's part is the median of several looks in a row that agree: what ended tasks held is freed some seconds later. */
async function settled(of: () => string[]): Promise<Memory> {
  const seen: number[] = [];
  for (let look = 0; ; look++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    seen.push(kernelKib());
    const last = seen.slice(-LOOKS).sort((one, other) => one - other);
    const spread = (last.at(-1) ?? 0) - (last[0] ?? 0);
    if (last.length === LOOKS && (spread < REST_KIB || look > LOOKS_AT_MOST)) {
      return { processesKib: processesKib(of()), kernelKib: median(last) };
    }
  }
}

/** Per task. */
function grownMib(before: Memory, after: Memory): { processes: number; kernel: number; all: number } {
  const processes = (after.processesKib - before.processesKib) / 1024 / TASKS;
  const kernel = (after.kernelKib - before.kernelKib) / 1024 / TASKS;
  if (processes <= 0 || kernel <= 0)
    throw new Error(`other work on the machine made its memory shrink (${kernel.toFixed(2)} MiB per task)`);
  return { processes, kernel, all: processes + kernel };
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

/** The instance's processes of this kind, told by the environment that all of them inherit. */
function pidsOf(state: string, isKind: (pid: string) => boolean): string[] {
  return pids().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`BERTH_STATE=${state}`) && isKind(pid);
    } catch {
      return false; // it ended while we looked
    }
  });
}
const runs = (part: string) => (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(part);
/** Supervisors are forked without exec: they are told by the name they give themselves. */
const isSupervisor = (pid: string) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'berth-task';

function cpuTicks(of: string[]): number {
  return sum(
    of.map((pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return Number(fields[11]) + Number(fields[12]);
    }),
  );
}
