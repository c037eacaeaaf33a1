/** 100 running tasks told to stop, until the API says STOPPED of each (their network, groups and files are gone then); docker's `rm -f`. */
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { report } from './promises.ts';

const TASKS = 100;
const WIDTH = 4;

export async function teardown(bed: Bed): Promise<boolean> {
  await bed.define('teardown', ['600']);
  // Each side once before and once after the other: a machine that gets busier meanwhile shall favour nobody.
  const dockers = [await dockerTeardown(bed)];
  const ours = [await teardownOnce(bed), await teardownOnce(bed)];
  dockers.push(await dockerTeardown(bed));
  const mean = (seconds: number[]) => seconds.reduce((a, b) => a + b, 0) / seconds.length;
  const list = (seconds: number[]) => seconds.map((s) => s.toFixed(2)).join(' and ');
  const detail = `${TASKS} at once: berth ${list(ours)} s; docker rm -f, ${WIDTH}-way, ${list(dockers)} s`;
  return report('teardown', mean(dockers) / mean(ours), detail);
}

async function teardownOnce(bed: Bed): Promise<number> {
  const calls = await Promise.all(Array.from({ length: TASKS / 10 }, () => bed.runTasks('teardown', 10)));
  const arns = calls.flat().map((t) => t.taskArn ?? '');
  const started = await bed.stamps('teardown', arns, 60_000, 1000);
  if (started.size !== TASKS) throw new Error(`${TASKS - started.size} of ${TASKS} tasks did not start`);
  await bed.running(arns, 60_000);
  const before = process.hrtime.bigint();
  await bed.stopTasks(arns);
  await bed.stopped(arns, 120_000);
  return Number(process.hrtime.bigint() - before) / 1e9;
}

async function dockerTeardown(bed: Bed): Promise<number> {
  const ids: string[] = [];
  let begun = 0;
  const each = Array.from({ length: WIDTH }, async () => {
    while (begun++ < TASKS) ids.push(await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '600']));
  });
  await Promise.all(each);
  const before = process.hrtime.bigint();
  await Promise.all(each.map((_, part) => bed.docker.docker(['rm', '-f', ...ids.filter((_id, n) => n % WIDTH === part)])));
  return Number(process.hrtime.bigint() - before) / 1e9;
}
