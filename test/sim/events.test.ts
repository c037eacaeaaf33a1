/**
 * Events, rules, targets and schedules under a control plane that is killed at any step and targets that fail, from seeds. BERTH_SIM_SEEDS=N runs N seeds instead of a
 * few; BERTH_SIM_SEED=S runs just that one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { eventTime } from '#domain/event.ts';
import type { Delivery, EventRow, EventTarget } from '#domain/event.ts';
import { createSchedule, putEventRule, putEvents, putTargets } from '#intent/index.ts';
import type { Outcome } from '#plan/event-rules.ts';
import { createCluster } from './cluster.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const RULES = 30;
const STEPS = 40;
const MINUTE = 60_000;

const one = process.env['BERTH_SIM_SEED'];
const count = Number(process.env['BERTH_SIM_SEEDS'] ?? 4);
const seeds = one === undefined ? Array.from({ length: count }, (_, n) => n + 1) : [Number(one)];

for (const seed of seeds) {
  test(`seed ${seed}: each event is there once and in order, reaches what asked for it, and each time fires once`, async () => {
    try {
      await simulate(seed);
    } catch (error) {
      throw new Error(`seed ${seed} (BERTH_SIM_SEED=${seed} runs it alone)`, { cause: error });
    }
  });
}

const target = (id: string): EventTarget => ({
  id,
  arn: `arn:aws:logs:us-east-1:123456789012:log-group:${id}`,
  roleArn: null,
  input: {},
  maxAttempts: limits.eventAttempts,
  maxAgeMs: limits.eventAgeMs,
  deadLetterArn: null,
  parameters: {},
  front: {},
});

async function simulate(seed: number): Promise<void> {
  /** By rule or schedule: ids and times of what reached it, repeats too. */
  const reached = new Map<string, { id: string; time: string }[]>();
  let failing = 0.3;
  const deliver = async (deliveries: readonly Delivery[]): Promise<Outcome[]> =>
    deliveries.map(({ sourceName, event }) => {
      if (cluster.random.fraction() < failing) return { ok: false, again: true, code: 'X', message: 'it fails' };
      reached.set(sourceName, [...(reached.get(sourceName) ?? []), { id: event.id, time: event.time }]);
      return { ok: true };
    });
  const cluster = await createCluster(seed, 0, deliver);
  const { clock, random, store } = cluster;
  const intent = { store, clock, random };
  const sent: { id: string; n: number }[] = [];
  try {
    await cluster.heal();
    for (let n = 0; n < RULES; n++) {
      const key = { ...scope, bus: 'default', name: `rule-${n}` };
      const pattern = JSON.stringify({ source: ['sim'], detail: { n: [{ numeric: ['>=', n, '<', n + 10] }] } });
      await putEventRule(intent, key, { pattern, schedule: null, enabled: true, description: null, roleArn: null, tags: [] });
      await putTargets(intent, key, [target('a'), ...(n % 3 === 0 ? [target('b')] : [])]);
    }
    const began = clock.now();
    const key = { ...scope, bus: 'default', name: 'minutely' };
    await putEventRule(intent, key, {
      pattern: null,
      schedule: 'rate(1 minute)',
      enabled: true,
      description: null,
      roleArn: null,
      tags: [],
    });
    await putTargets(intent, key, [target('a')]);
    const wish = { zone: 'UTC', startAt: null, endAt: null, enabled: true, description: null, windowMs: null };
    await createSchedule(
      intent,
      { ...scope, group: 'default', name: 'cron' },
      { ...wish, expression: 'cron(* * * * ? *)', deleteWhenDone: false, target: target('a') },
    );
    const once = eventTime(Math.ceil(began / MINUTE) * MINUTE + 5 * MINUTE).slice(0, 19);
    await createSchedule(
      intent,
      { ...scope, group: 'default', name: 'once' },
      { ...wish, expression: `at(${once})`, deleteWhenDone: true, target: target('a') },
    );

    cluster.killChance = { control: 0.01, host: 0 };
    for (let step = 0; step < STEPS; step++) {
      const events = Array.from({ length: Math.floor(random.fraction() * 5) }, (_, i) => {
        const id = uuid(random);
        sent.push({ id, n: (step + i) % (RULES + 20) });
        return {
          bus: 'default',
          event: {
            version: '0' as const,
            id,
            'detail-type': 'Sim',
            source: 'sim',
            ...scope,
            time: eventTime(clock.now()),
            resources: [],
            detail: { n: (step + i) % (RULES + 20) },
          },
        };
      });
      if (events.length > 0) await putEvents(intent, events);
      await clock.advance(Math.floor(random.fraction() * 20_000));
      if (random.fraction() < 0.7) await cluster.startControl();
    }
    failing = 0;
    await cluster.heal();
    await clock.advance(15 * MINUTE);

    const log = await allEvents(cluster.store);
    const mine = log.filter(({ event }) => event.source === 'sim').map(({ event }) => event.id);
    assert.deepEqual(
      mine,
      sent.map(({ id }) => id),
      'the log has each event once, in order',
    );
    for (let n = 0; n < RULES; n++) {
      const wanted = sent.filter((event) => event.n >= n && event.n < n + 10).map(({ id }) => id);
      const got = new Set((reached.get(`rule-${n}`) ?? []).map(({ id }) => id));
      assert.deepEqual([...got].toSorted(), wanted.toSorted(), `rule-${n} was reached by what it asks for, and by nothing else`);
    }
    assert.equal(await store.read((tx) => tx.eventDeliveries.count()), 0);
    assert.deepEqual(await store.read((tx) => tx.changes.list(1)), []);
    for (const name of ['minutely', 'cron']) {
      const fired = new Map((reached.get(name) ?? []).map(({ id, time }) => [id, time]));
      const times = [...fired.values()];
      assert.equal(new Set(times).size, times.length, `${name} fired once for each time`);
      assert.ok(times.length >= 12 && times.every((time) => Date.parse(time) <= clock.now()), `${name} fired ${times.length} times`);
    }
    assert.equal(new Set((reached.get('once') ?? []).map(({ id }) => id)).size, 1);
    assert.equal(reached.get('once')?.[0]?.time, `${once}Z`);
    assert.equal(await store.read((tx) => tx.schedules.get({ ...scope, group: 'default', name: 'once' })), undefined);
  } finally {
    await cluster.close();
  }
}

async function allEvents(store: Awaited<ReturnType<typeof createCluster>>['store']): Promise<EventRow[]> {
  return await store.read((tx) => tx.events.list(scope, { after: 0, limit: 100_000 }));
}
