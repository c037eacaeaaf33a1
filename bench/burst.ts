/** 200 tasks asked for at once, until each has run its first instruction; docker starts its containers four at a time. */
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { report } from './promises.ts';

const TASKS = 200;
const CONTAINERS = 48;
const WIDTH = 4;
const LOOK_MS = 1000;

export async function burst(bed: Bed): Promise<boolean> {
  await bed.define('burst', ['600']);
  const dockerRate = ((await dockerBurst(bed)) + (await dockerBurst(bed))) / 2;
  const before = process.hrtime.bigint();
  const calls = await Promise.all(Array.from({ length: TASKS / 10 }, () => bed.runTasks('burst', 10)));
  const arns = calls.flat().map((t) => t.taskArn ?? '');
  const stamps = await bed.stamps('burst', arns, 120_000, LOOK_MS);
  const last = [...stamps.values()].reduce((a, b) => (a > b ? a : b), before);
  const seconds = Number(last - before) / 1e9;
  await bed.stopTasks(arns);
  const rate = stamps.size / seconds;
  const detail = `berth ${stamps.size} tasks in ${seconds.toFixed(2)} s = ${rate.toFixed(1)}/s; docker ${dockerRate.toFixed(1)}/s (${CONTAINERS} containers, ${WIDTH}-way, twice)`;
  const rateHolds = report('burst-rate', rate / dockerRate, detail);
  return report('burst-failures', TASKS - stamps.size, `${TASKS} tasks asked for`) && rateHolds;
}

async function dockerBurst(bed: Bed): Promise<number> {
  const before = process.hrtime.bigint();
  let begun = 0;
  const ids: string[] = [];
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      while (begun++ < CONTAINERS) ids.push(await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '600']));
    }),
  );
  const seconds = Number(process.hrtime.bigint() - before) / 1e9;
  await bed.docker.docker(['rm', '-f', ...ids]);
  return ids.length / seconds;
}
