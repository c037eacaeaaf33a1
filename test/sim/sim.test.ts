/**
 * RunTask and StopTask under crashes, from seeds. BERTH_SIM_SEEDS=N runs N seeds instead of a few; BERTH_SIM_SEED=S runs just that one.
 */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { LinkFaults } from '#link/memory.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { ensureRegion, runTask, stopTask } from '#intent/index.ts';
import { createCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { createWitness } from './invariants.ts';
import type { Promises } from './invariants.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const STEPS = 60;

const one = process.env['BERTH_SIM_SEED'];
const count = Number(process.env['BERTH_SIM_SEEDS'] ?? 8);
const seeds = one === undefined ? Array.from({ length: count }, (_, n) => n + 1) : [Number(one)];

for (const seed of seeds) {
  test(`seed ${seed}: what was accepted happens, once, whatever dies`, async () => {
    try {
      await simulate(seed);
    } catch (error) {
      throw new Error(`seed ${seed} (BERTH_SIM_SEED=${seed} runs it alone)`, { cause: error });
    }
  });
}

test('the same seed gives the same history', async () => {
  assert.equal(await simulate(3), await simulate(3));
});

/** Returns the whole history as text. */
async function simulate(seed: number): Promise<string> {
  const cluster = await createCluster(seed, 1 + (seed % 4));
  const promises: Promises = new Map();
  const witness = createWitness(cluster, promises);
  const act = createActor(cluster, promises);
  try {
    await cluster.heal();
    await cluster.clock.advance(1000);
    for (let step = 0; step < STEPS; step++) {
      await act();
      await cluster.clock.advance(Math.floor(cluster.random.fraction() ** 3 * 8000));
      await witness.check();
    }
    await cluster.heal();
    await rest(cluster);
    await witness.check();
    await witness.checkRest();
    for (const id of promises.keys()) await stop(cluster, promises, id);
    await rest(cluster);
    await witness.check();
    await witness.checkRest();
    const all = await cluster.store.read((tx) => tx.tasks.list({}));
    assert.ok(all.length > 0 && all.every((task) => task.observed.status === 'STOPPED'));
    return JSON.stringify([all, [...cluster.lines]]);
  } finally {
    await cluster.close();
  }
}

/** Long enough for the slowest stop, silence and patience. */
async function rest(cluster: Cluster): Promise<void> {
  await cluster.clock.advance(180_000);
  for (let turn = 0; turn < 100; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** One random thing that users, processes, machines or the network do. */
function createActor(cluster: Cluster, promises: Promises): () => Promise<void> {
  const { random } = cluster;
  const upTo = (n: number) => Math.floor(random.fraction() * n);
  const anyHost = () => cluster.hosts[upTo(cluster.hosts.length)];
  const acts: [number, () => Promise<void> | void][] = [
    [30, () => run(cluster, promises)],
    [
      12,
      async () => {
        const id = [...promises.keys()][upTo(promises.size)];
        if (id !== undefined) await stop(cluster, promises, id);
      },
    ],
    [6, () => cluster.killControl()],
    [12, () => cluster.startControl()],
    [5, () => void (cluster.killChance = { control: random.fraction() * 0.01, host: random.fraction() * 0.01 })],
    [
      5,
      () => {
        const host = anyHost();
        if (host !== undefined) cluster.killHost(host);
      },
    ],
    [
      2,
      () => {
        const host = anyHost();
        if (host !== undefined) cluster.rebootHost(host);
      },
    ],
    [
      14,
      async () => {
        const host = anyHost();
        if (host !== undefined) await cluster.startHost(host);
      },
    ],
    [4, () => cluster.cutLinks()],
    [6, () => void (cluster.faults = randomFaults(random.fraction))],
    [3, () => anyHost()?.world.failNextStart('the disk is on fire')],
    [
      2,
      () => {
        const host = anyHost();
        const id = host?.world.alive()[0];
        if (host !== undefined && id !== undefined) cluster.killSupervisor(host, id);
      },
    ],
  ];
  const total = acts.reduce((sum, [weight]) => sum + weight, 0);
  return async () => {
    let pick = random.fraction() * total;
    for (const [weight, act] of acts) {
      pick -= weight;
      if (pick <= 0) return void (await act());
    }
  };
}

function randomFaults(fraction: () => number): LinkFaults {
  return { lose: fraction() * 0.3, repeat: fraction() * 0.2, delayMinMs: 0, delayMaxMs: fraction() ** 2 * 2000 };
}

async function run(cluster: Cluster, promises: Promises): Promise<void> {
  const { random, clock, store } = cluster;
  await ensureRegion({ store, clock, random }, scope);
  const subnetIds = (await store.read((tx) => tx.subnets.list(scope))).map((subnet) => subnet.key.id);
  const prints = Math.floor(random.fraction() * 20);
  const ends = random.fraction() < 0.4;
  const command = Array.from({ length: prints }, (_, n) => `print=line ${n}`);
  command.push(`print-ms=${Math.floor(random.fraction() * 100)}`, `start-ms=${Math.floor(random.fraction() * 500)}`);
  if (ends) command.push(`run-ms=${3000 + Math.floor(random.fraction() * 20_000)}`, `exit=${Math.floor(random.fraction() * 3)}`);
  if (random.fraction() < 0.1) command.push('fail-start=no such command');
  if (random.fraction() < 0.2) command.push(`stop-ms=${Math.floor(random.fraction() * 40_000)}`);
  const image = random.fraction() < 0.05 ? 'missing:1' : 'app:1';
  // Before the first host said hello there is no network to run in.
  if (subnetIds.length === 0) return;
  const { tasks } = await runTask({ store, clock, random }, scope, {
    cluster: 'default',
    count: 1 + Math.floor(random.fraction() * 4),
    family: 'sim',
    revision: 1,
    spec: (taskId) => {
      const log = { driver: 'awslogs' as const, region: scope.region, group: 'sim', stream: taskId, createGroup: true };
      return taskSpec({ containers: [containerSpec({ image, command, log })] });
    },
    network: { subnetIds, securityGroupIds: [], publicIp: false },
    launchType: 'FARGATE',
    strategy: [],
    group: 'family:sim',
    startedBy: null,
    tags: [],
    platformVersion: '1.4.0',
    enableExec: false,
    front: {},
    token: null,
  });
  for (const task of tasks) promises.set(task.key.id, { desired: 'RUNNING', prints, ends });
}

async function stop(cluster: Cluster, promises: Promises, id: string): Promise<void> {
  const { random, clock, store } = cluster;
  const task = await stopTask({ store, clock, random }, scope, 'default', id, { code: 'UserInitiated', reason: 'enough' });
  const promise = promises.get(id);
  if (promise !== undefined) promise.desired = task.desired.status;
}
