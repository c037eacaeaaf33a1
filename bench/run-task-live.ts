/**
 * RunTask's transaction while many tasks live against while few do: how fast tasks are admitted must not depend on how many there are. On the store as it
 * is in use, a file whose every commit is synced; without a host, which would have to run the many. Runs alone: `node bench/run-task-live.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { seededRandom } from '#base/random.ts';
import type { HostRecord } from '#domain/records.ts';
import { taskSpec } from '#domain/samples.ts';
import { ensureRegion, runTask, type IntentDeps, type RunTaskWish } from '#intent/index.ts';
import { createSqliteStore } from '#store/index.ts';
import { median, medianBound, report } from './promises.ts';

const FEW = 100;
const MANY = 5000;
const PAIRS = 20;
const CALLS = 200;
const WIDTH = 4;
const GIB = 1024 ** 3;
const scope = { account: '123456789012', region: 'us-east-1' };
const HOST = 'host-1';

export async function runTaskLive(): Promise<boolean> {
  const sides = { few: await openSide(FEW), many: await openSide(MANY) };
  try {
    for (const side of Object.values(sides)) await side.rate();
    const pairs: { few: number; many: number }[] = [];
    for (let i = 0; i < PAIRS; i++) {
      const rates = { few: 0, many: 0 };
      for (const side of i % 2 === 0 ? (['few', 'many'] as const) : (['many', 'few'] as const)) rates[side] = await sides[side].rate();
      pairs.push(rates);
    }
    const ratios = pairs.map((pair) => pair.many / pair.few);
    const rates = `${FEW} tasks ${median(pairs.map((pair) => pair.few)).toFixed(0)}/s, ${MANY} tasks ${median(pairs.map((pair) => pair.many)).toFixed(0)}/s`;
    return report('run-task-live', medianBound(ratios, 0.05), `median ${median(ratios).toFixed(2)}; ${rates}; ${PAIRS} pairs of ${CALLS} calls a side, ${WIDTH} at a time`); // prettier-ignore
  } finally {
    for (const side of Object.values(sides)) await side.end();
  }
}

type Side = { rate(): Promise<number>; end(): Promise<void> };

/** A store in which so many tasks live and have their place. */
async function openSide(live: number): Promise<Side> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-bench-live-'));
  const store = await createSqliteStore({ path: join(dir, 'berth.db'), now: Date.now });
  const deps: IntentDeps = { store, clock: realClock(), random: seededRandom(live) };
  await store.write((tx) => tx.hosts.put(host(deps.clock.now()), 0));
  await ensureRegion(deps, scope);
  const subnets = await store.read((tx) => tx.subnets.list(scope));
  const wish: RunTaskWish = {
    cluster: 'default',
    count: 1,
    family: 'web',
    revision: 1,
    spec: () => taskSpec(),
    network: { subnetIds: subnets.map((subnet) => subnet.key.id), securityGroupIds: [], publicIp: false },
    launchType: 'FARGATE',
    strategy: [],
    group: 'family:web',
    startedBy: null,
    tags: [],
    platformVersion: '1.4.0',
    enableExec: false,
    front: {},
    token: null,
  };
  const begin = async (count: number): Promise<void> => {
    const { tasks, failures } = await runTask(deps, scope, { ...wish, count });
    if (failures.length > 0) throw new Error(`RunTask failed: ${failures[0]?.detail}`);
    // As the placement loop does it: long ago, so that it shows in the host's free memory.
    await store.write(async (tx) => {
      for (const { key, revision } of tasks) {
        const [third, fourth] = deps.random.bytes(2);
        const ip = `10.0.${third}.${fourth}`;
        const placement = {
          hostId: HOST,
          fence: 1,
          eniId: `eni-${hexId(deps.random, 17)}`,
          attachmentId: key.id,
          ip,
          mac: '02:00:00:00:00:01',
          at: 1,
        };
        await tx.tasks.setPlacement(key, placement, revision);
      }
    });
  };
  for (let done = 0; done < live; done += 10) await begin(Math.min(10, live - done));
  return {
    async rate() {
      let begun = 0;
      const ids: string[] = [];
      const from = process.hrtime.bigint();
      await Promise.all(
        Array.from({ length: WIDTH }, async () => {
          while (begun++ < CALLS) ids.push(...(await runTask(deps, scope, wish)).tasks.map(({ key }) => key.id));
        }),
      );
      const seconds = Number(process.hrtime.bigint() - from) / 1e9;
      if (ids.length !== CALLS) throw new Error(`${ids.length} of ${CALLS} tasks were admitted`);
      await store.write(async (tx) => {
        for (const id of ids) await tx.tasks.delete({ ...scope, cluster: 'default', id });
      });
      return CALLS / seconds;
    },
    async end() {
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function host(now: number): Omit<HostRecord, 'revision'> {
  return {
    key: { hostId: HOST },
    status: 'CONNECTED',
    seenAt: now,
    usage: { freeMemoryBytes: 4000 * GIB, freeDiskBytes: GIB, loadPercent: 0, tasks: 0, sandboxes: [] },
    info: {
      hostname: 'one',
      arch: 'amd64',
      cpuMillis: 2000,
      memoryBytes: 4000 * GIB,
      reserveBytes: GIB,
      isolation: [{ kind: 'container', works: true, reason: '', accelerator: null, auto: true }],
      strictCapacity: false,
      occupiedCidrs: [],
      cidrSeed: 7,
    },
  };
}

if (import.meta.main) process.exitCode = (await runTaskLive()) ? 0 : 1;
