/** How long a task in gVisor takes to its first line, cold and from the pool, against the same by hand and docker with runsc, in turn. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '#base/limits.ts';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { median, quantile, report } from './promises.ts';
import { runscByHand } from './runsc-by-hand.ts';

const ROUNDS = 12;
const WARM_UP = 1;
const TIMEOUT_MS = 30_000;
const LOOK_MS = 50;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function gvisorStart(bed: Bed): Promise<boolean> {
  await bed.define('gvisor', []);
  const hand = runscByHand(bed.program);
  const times = { pool: [] as number[], cold: [] as number[], hand: [] as number[], docker: [] as number[] };
  try {
    // The first one has the pool fill itself.
    await start(bed);
    for (let round = 0; round < WARM_UP + ROUNDS; round++) {
      const found = {
        pool: await pooled(bed),
        cold: await cold(bed),
        hand: await hand.run(),
        docker: await docker(bed, `gvisor-${round}`),
      };
      if (round >= WARM_UP) for (const name of ['pool', 'cold', 'hand', 'docker'] as const) times[name].push(found[name]);
    }
  } finally {
    hand.end();
  }
  const line = (name: string, ms: number[]) => `${name} p50 ${median(ms).toFixed(0)} ms, p90 ${quantile(ms, 0.9).toFixed(0)} ms`;
  const [pool, cold_, byHand] = [line('from the pool', times.pool), line('cold', times.cold), line('by hand', times.hand)];
  const holds = [
    report('gvisor-cold', median(times.cold) / median(times.hand), `${cold_}; ${byHand}; ${ROUNDS} rounds`),
    report('gvisor-pool', median(times.hand) / median(times.pool), `${pool}; ${byHand}`),
    report('gvisor-docker', median(times.docker) / median(times.pool), `${pool}; ${line('docker', times.docker)}`),
  ];
  return !holds.includes(false);
}

/** One task: how long until its first line was heard, and whether a sandbox was made for it. */
async function start(bed: Bed): Promise<{ ms: number; isCold: boolean }> {
  const before = Date.now();
  const [task] = await bed.runTasks('gvisor', 1, 'gvisor');
  const arn = task?.taskArn ?? '';
  const isCold = () => existsSync(join(rooms(bed), arn.split('/').at(-1) ?? ''));
  let sawRoom = false;
  const looking = setInterval(() => (sawRoom ||= isCold()), 5);
  const heard = (await bed.heard('gvisor', [arn], TIMEOUT_MS)).get(arn);
  clearInterval(looking);
  if (heard === undefined) throw new Error(`task ${arn} said nothing within ${TIMEOUT_MS / 1000} s`);
  return { ms: heard - before, isCold: sawRoom };
}

async function pooled(bed: Bed): Promise<number> {
  await untilFull(bed);
  const { ms, isCold } = await start(bed);
  if (isCold) throw new Error('the pool was full, and the task still got a sandbox of its own');
  return ms;
}

/** The pool is emptied first: it waits a while before it fills itself up again. */
async function cold(bed: Bed): Promise<number> {
  for (let tries = 0; tries < 5; tries++) {
    await untilFull(bed);
    const drained = await bed.runTasks('gvisor', limits.gvisorPoolSandboxes, 'gvisor');
    const arns = drained.flatMap((task) => task.taskArn ?? []);
    await bed.heard('gvisor', arns, TIMEOUT_MS);
    const { ms, isCold } = await start(bed);
    if (isCold) return ms;
  }
  throw new Error('no task got a sandbox of its own');
}

function rooms(bed: Bed): string {
  return join('/run/berth', bed.berth.instance, 'gv');
}

async function untilFull(bed: Bed): Promise<void> {
  const waits = (name: string) => name.startsWith('pool-') && !existsSync(join(rooms(bed), name, 'taken'));
  const deadline = Date.now() + TIMEOUT_MS;
  while (readdirSync(rooms(bed)).filter(waits).length < limits.gvisorPoolSandboxes) {
    if (Date.now() > deadline) throw new Error('the pool did not fill itself');
    await pause(LOOK_MS);
  }
  // The last one's directory is there before it is ready.
  await pause(500);
}

/** By the time that the daemon wrote beside the first line. */
async function docker(bed: Bed, name: string): Promise<number> {
  const before = Date.now();
  await bed.docker.docker(['run', '--runtime=runsc', '--name', name, IMAGE, '/stamp']);
  const said = await bed.docker.docker(['logs', '--timestamps', name]);
  await bed.docker.docker(['rm', '-f', name]);
  return Date.parse(said.split(' ')[0] ?? '') - before;
}
