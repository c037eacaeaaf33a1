/**
 * Services under the death of hosts and of the control plane, crashes, slow starts and revisions that do not work, from seeds.
 * BERTH_SIM_SERVICE_SEEDS=N runs N seeds, BERTH_SIM_SERVICE_SEED=S just that one, BERTH_SIM_SERVICES=M services in each.
 */
import { test } from 'node:test';
import { createCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { createServiceActor } from './service-actor.ts';
import { createServiceWitness } from './service-witness.ts';

const one = process.env['BERTH_SIM_SERVICE_SEED'];
const seedCount = Number(process.env['BERTH_SIM_SERVICE_SEEDS'] ?? 5);
const serviceCount = Number(process.env['BERTH_SIM_SERVICES'] ?? 5);
const seeds = one === undefined ? Array.from({ length: seedCount }, (_, n) => n + 1) : [Number(one)];
const STEPS = 60;

for (const seed of seeds) {
  test(`seed ${seed}: ${serviceCount} services keep their bounds at every step and come to rest at what was wished`, async () => {
    try {
      await simulate(seed);
    } catch (error) {
      throw new Error(`seed ${seed} (BERTH_SIM_SERVICE_SEED=${seed} runs it alone)`, { cause: error });
    }
  });
}

async function simulate(seed: number): Promise<void> {
  const cluster = await createCluster(seed, 2 + (seed % 3));
  const actor = createServiceActor(cluster, serviceCount);
  const witness = createServiceWitness(cluster, actor.services);
  try {
    await cluster.heal();
    await cluster.clock.advance(1000);
    await actor.begin();
    for (let step = 0; step < STEPS; step++) {
      await cluster.clock.advance(Math.floor(cluster.random.fraction() ** 2 * 30_000));
      await witness.check();
      // More services, more that happens to them.
      for (let n = 0; n < 1 + serviceCount / 50; n++) await actor.act();
    }
    await cluster.heal();
    await actor.settle();
    await rest(cluster, 20, witness.check);
    await witness.checkRest();
    await actor.removeAll();
    await rest(cluster, 5, witness.check);
    await witness.checkGone();
  } finally {
    await cluster.close();
  }
}

/** Long enough for the slowest start and stop, silence and patience. */
async function rest(cluster: Cluster, minutes: number, check: () => Promise<void>): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await cluster.clock.advance(60_000);
    await check();
  }
}
