/**
 * What 100 idle tasks cost: the platform's memory and CPU, and beside docker the memory by which all processes of each side grew (the
 * platform's or the daemon's own share too) and the kernel with them.
 */
import { readFileSync } from 'node:fs';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { grownMib, namespaceMates, pidsOf, pssKib, settled, told, withDescendants } from './memory.ts';
import type { Grown } from './memory.ts';
import { report } from './promises.ts';

const TASKS = 100;
const WATCH_S = 60;
const FREED_AFTER_MS = 10_000;

export async function idle(bed: Bed): Promise<boolean> {
  await bed.define('idle', ['3600']);
  const docker = await dockerMemory(bed);
  const ours = () => withDescendants(pidsOf(bed.berth.state, () => true));
  const empty = await settled(ours);
  const arns = (await Promise.all(Array.from({ length: TASKS / 10 }, () => bed.runTasks('idle', 10)))).flat().map((t) => t.taskArn ?? '');
  const started = await bed.stamps('idle', arns, 60_000);
  if (started.size !== TASKS) throw new Error(`${TASKS - started.size} of ${TASKS} idle tasks did not start`);
  const task = trusted(grownMib(empty, await settled(ours), TASKS));

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

function trusted(grown: Grown): Grown {
  if (grown.processes > 0 && grown.kernel > 0) return grown;
  throw new Error(`other work on the machine made its memory shrink (${told(grown)} MiB per task)`);
}

async function dockerMemory(bed: Bed): Promise<Grown> {
  const theirs = () => withDescendants(namespaceMates(bed.docker.pid));
  const before = await settled(theirs);
  const ids: string[] = [];
  for (let i = 0; i < TASKS; i++) ids.push(await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '3600']));
  const after = await settled(theirs);
  await bed.docker.docker(['rm', '-f', ...ids]);
  await new Promise((resolve) => setTimeout(resolve, FREED_AFTER_MS));
  return trusted(grownMib(before, after, TASKS));
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

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
