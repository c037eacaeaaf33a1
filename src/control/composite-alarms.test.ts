/** Composite alarms over a store: what a child's change does, once and in one sweep, also when the control plane was away or is killed between. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { virtualClock, type VirtualClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import { parseAlarmRule } from '#domain/alarm-rule.ts';
import type { AlarmState } from '#domain/alarm.ts';
import { deleteAlarms, putAlarm, setAlarmState } from '#intent/index.ts';
import { openMetrics } from '#metrics/index.ts';
import type { Metrics } from '#metrics/types.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { startAlarmsLoop } from './alarms-loop.ts';
import type { Loop } from './loop.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const log = 'arn:aws:logs:us-east-1:123456789012:log-group:/alarms';
const common = { actionsEnabled: true, actions: { OK: [], ALARM: [log], INSUFFICIENT_DATA: [] }, tags: [], front: {} };
const metric = {
  queries: [{ id: 'm1', label: undefined, returned: true, periodS: 60, metric: { namespace: 'N', name: 'M', dimensions: {}, statistic: 'Sum' } }],
  periodS: 60, threshold: 1, comparison: 'GreaterThanThreshold' as const, evaluationPeriods: 1, datapointsToAlarm: 1, missingData: 'ignore' as const,
}; // prettier-ignore

let folder: string;
let clock: VirtualClock;
let store: Store;
let metrics: Metrics;
let loop: Loop | undefined;

async function openStore(): Promise<void> {
  store = await createSqliteStore({ path: join(folder, 'store.db') });
}
function start(): void {
  const started = startAlarmsLoop({ store, clock, random: seededRandom(1), log: silentLog, metrics }, 'test');
  loop = started;
  store.onChange(['alarms'], () => started.look());
}
async function restart(): Promise<void> {
  await loop?.stop();
  await store.close();
  await openStore();
  start();
  await clock.advance(100);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'berth-composite-'));
  clock = virtualClock();
  metrics = openMetrics({ clock }, { path: ':memory:' });
  await openStore();
});
afterEach(async () => {
  await loop?.stop();
  loop = undefined;
  await store.close();
  await metrics.close();
  rmSync(folder, { recursive: true, force: true });
});

const intent = () => ({ store, clock, random: seededRandom(2) });
const put = (name: string, rule?: string) =>
  putAlarm(intent(), scope, name, rule === undefined ? { ...metric, ...common, actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] } } : { rule, children: parseAlarmRule(rule, scope).children, ...common }); // prettier-ignore
async function set(name: string, state: AlarmState): Promise<void> {
  await setAlarmState(intent(), scope, name, { state, reason: `set to ${state}`, data: null });
  await clock.advance(100);
}
const observed = async (name: string) => (await store.read((tx) => tx.alarms.get({ ...scope, name })))?.observed ?? assert.fail();
const states = async (...names: string[]) => await Promise.all(names.map(async (name) => (await observed(name)).state));
const moves = async (name: string) =>
  (await observed(name)).history.filter(({ kind }) => kind === 'StateUpdate').map(({ summary }) => summary.replace('Alarm updated from ', '')).toReversed(); // prettier-ignore

describe('composite alarms', () => {
  it('follow their children through as many levels as there are, once each', async () => {
    start();
    for (const name of ['m', 'n']) await put(name);
    await put('z', 'ALARM(m) AND NOT ALARM(n)');
    await put('y', 'ALARM(z)');
    await put('a', 'ALARM(y) AND ALARM(z)');
    await clock.advance(100);
    assert.deepEqual(await states('z', 'y', 'a'), ['OK', 'OK', 'OK']);
    await set('m', 'ALARM');
    assert.deepEqual(await states('z', 'y', 'a'), ['ALARM', 'ALARM', 'ALARM']);
    await set('n', 'ALARM');
    assert.deepEqual(await states('z', 'y', 'a'), ['OK', 'OK', 'OK']);
    assert.deepEqual(await moves('a'), ['INSUFFICIENT_DATA to OK', 'OK to ALARM', 'ALARM to OK']);
    assert.match((await observed('z')).reason, /:alarm:n transitioned to ALARM at /);
    assert.equal(await store.read((tx) => tx.eventDeliveries.count()), 3);
    const kinds = (await store.read((tx) => tx.changes.list(100))).filter(
      ({ change }) => change.kind === 'alarm' && change.alarm.name === 'a',
    );
    assert.equal(kinds.length, 3);
  });

  it('see at the next start what happened meanwhile, and nothing twice', async () => {
    await put('m');
    await put('c', 'ALARM(m)');
    start();
    await clock.advance(100);
    await loop?.stop();
    // The child changes as by a control plane that was killed before it came to the parent.
    await store.write(async (tx) => {
      const child = (await tx.alarms.get({ ...scope, name: 'm' })) ?? assert.fail();
      const now = clock.now();
      await tx.alarms.setObserved(child.key, { ...child.observed, state: 'ALARM', transitionedAt: now, stateUpdatedAt: now }, child.revision); // prettier-ignore
    });
    assert.deepEqual(await states('c'), ['OK']);
    await restart();
    assert.deepEqual([await states('c'), await moves('c')], [['ALARM'], ['INSUFFICIENT_DATA to OK', 'OK to ALARM']]);
    const before = await observed('c');
    await restart();
    await clock.advance(5 * 60_000);
    assert.deepEqual(await observed('c'), before);
    assert.equal(await store.read((tx) => tx.eventDeliveries.count()), 1);
  });

  it('stay as a caller set them until a child changes or the rule does', async () => {
    start();
    await put('m');
    await put('c', 'ALARM(m)');
    await clock.advance(100);
    await set('c', 'ALARM');
    await clock.advance(5 * 60_000);
    assert.deepEqual(await states('c'), ['ALARM']);
    await set('m', 'OK');
    assert.deepEqual(await states('c'), ['OK']);
    await set('c', 'ALARM');
    await put('c', 'ALARM(m) OR FALSE');
    await clock.advance(100);
    assert.match((await observed('c')).reason, /:alarm:c was updated and its alarm rule evaluates to OK$/);
  });

  it('heed each of two changes in one millisecond', async () => {
    start();
    await put('c', 'FALSE');
    await clock.advance(0);
    assert.deepEqual(await states('c'), ['OK']);
    await put('c', 'TRUE');
    await clock.advance(0);
    assert.deepEqual(await states('c'), ['ALARM']);
  });

  it('in a circle are not evaluated, and can’t be deleted until it is broken', async () => {
    start();
    await put('b', 'FALSE');
    await put('a', 'ALARM(b)');
    await put('b', 'NOT ALARM(a)');
    await clock.advance(5 * 60_000);
    assert.deepEqual(await states('a', 'b'), ['OK', 'OK']);
    await assert.rejects(deleteAlarms(intent(), scope, ['a']), { code: 'ClientError', message: 'Cannot delete a as there are composite alarm(s) depending on it.' }); // prettier-ignore
    await put('b', 'TRUE');
    await clock.advance(100);
    assert.deepEqual(await states('a', 'b'), ['ALARM', 'ALARM']);
    await deleteAlarms(intent(), scope, ['a']);
  });

  it('of more than one transaction all come out, in any order of their names', async () => {
    await put('m');
    const names = Array.from({ length: 230 }, (_, n) => `c${String((n * 7919) % 100_003).padStart(6, '0')}`);
    for (const [n, name] of names.entries()) await put(name, `ALARM(${names[n - 1] ?? 'm'})`);
    start();
    await clock.advance(100);
    await set('m', 'ALARM');
    await clock.advance(100);
    assert.deepEqual(new Set(await states(...names)), new Set(['ALARM']));
    for (const name of names) assert.deepEqual(await moves(name), ['INSUFFICIENT_DATA to OK', 'OK to ALARM']);
  });
});
