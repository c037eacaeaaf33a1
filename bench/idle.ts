/** What 100 idle tasks cost: the platform's memory and CPU, and the machine's memory per task beside docker's. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { report } from './promises.ts';

const TASKS = 100;
const WATCH_S = 60;

export async function idle(bed: Bed): Promise<boolean> {
  await bed.define('idle', ['3600']);
  const dockerMib = await dockerMemory(bed);
  const emptyKib = await settledAvailable();
  const arns = (await Promise.all(Array.from({ length: TASKS / 10 }, () => bed.runTasks('idle', 10)))).flat().map((t) => t.taskArn ?? '');
  const started = await bed.stamps('idle', arns, 60_000);
  if (started.size !== TASKS) throw new Error(`${TASKS - started.size} of ${TASKS} idle tasks did not start`);
  const taskMib = (emptyKib - (await settledAvailable())) / 1024 / TASKS;

  const state = bed.berth.state;
  const platform = [...pidsOf(state, runs('main/control.ts')), ...pidsOf(state, runs('main/host.ts'))];
  const [ticks, began] = [cpuTicks(platform), Date.now()];
  await new Promise((resolve) => setTimeout(resolve, WATCH_S * 1000));
  const percent = ((cpuTicks(platform) - ticks) / 100 / ((Date.now() - began) / 1000)) * 100;
  const platformMib = sum(platform.map(pssKib)) / 1024;
  const supervisors = pidsOf(state, isSupervisor);
  const supervisorMib = sum(supervisors.map(pssKib)) / 1024 / Math.max(1, supervisors.length);
  await bed.stopTasks(arns);
  return [
    report('idle-memory', platformMib, `Pss of ${platform.length} processes`),
    report('idle-cpu', percent, `over ${WATCH_S} s`),
    report(
      'task-memory',
      dockerMib / taskMib,
      `docker ${dockerMib.toFixed(2)} MiB, berth ${taskMib.toFixed(2)} MiB of MemAvailable per task`,
    ),
    report('supervisor-memory', supervisorMib, `mean of ${supervisors.length}`),
  ].every(Boolean);
}

async function dockerMemory(bed: Bed): Promise<number> {
  const before = await settledAvailable();
  const ids: string[] = [];
  for (let i = 0; i < TASKS; i++) ids.push(await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '3600']));
  const after = await settledAvailable();
  await bed.docker.docker(['rm', '-f', ...ids]);
  return (before - after) / 1024 / TASKS;
}

/** MemAvailable in KiB, the median of several looks after the machine came to rest. */
async function settledAvailable(): Promise<number> {
  const seen: number[] = [];
  for (let i = 0; i < 7; i++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    seen.push(Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]));
  }
  return seen.sort((a, b) => a - b)[3] ?? 0;
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
const pids = () => readdirSync('/proc').filter((p) => /^\d+$/.test(p));

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

function pssKib(pid: string): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
}

function cpuTicks(of: string[]): number {
  return sum(
    of.map((pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return Number(fields[11]) + Number(fields[12]);
    }),
  );
}
