/** What an alarm's new state does: deliveries of its actions, what its history says of each, and how those end that can't be carried out. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { virtualClock, type VirtualClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import type { AlarmState, MetricAlarmDesired } from '#domain/alarm.ts';
import type { Delivery } from '#domain/event.ts';
import { deleteAlarms, putAlarm, setAlarmActions, setAlarmState } from '#intent/index.ts';
import { openMetrics } from '#metrics/index.ts';
import type { Metrics } from '#metrics/types.ts';
import type { Outcome } from '#plan/event-rules.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { startAlarmsLoop } from './alarms-loop.ts';
import { startDeliveriesLoop } from './events/deliveries-loop.ts';
import type { Loop } from './loop.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const arn = (service: string, resource: string) => `arn:aws:${service}:us-east-1:123456789012:${resource}`;
const log = arn('logs', 'log-group:/alarms');
const hook = arn('events', 'api-destination/hook/1');
const topic = arn('sns', 'pager');
const MINUTE = 60_000;

let clock: VirtualClock;
let store: Store;
let metrics: Metrics;
let loops: Loop[];
/** What each target was brought, and how the next tries end. */
let brought: Delivery[];
let outcomes: Outcome[];

before(() => {
  metrics = openMetrics({ clock: virtualClock() }, { path: ':memory:' });
});
after(() => metrics.close());

beforeEach(async () => {
  clock = virtualClock();
  store = await createSqliteStore({ path: ':memory:' });
  [brought, outcomes] = [[], []];
  const deps = { store, clock, random: seededRandom(1), log: silentLog };
  const deliver = async (deliveries: readonly Delivery[]): Promise<Outcome[]> => {
    brought.push(...deliveries);
    return deliveries.map(() => outcomes.shift() ?? { ok: true });
  };
  const sources = { deliver, keepMs: MINUTE, describeTask: async () => ({}) };
  loops = [startAlarmsLoop({ ...deps, metrics }, 'test'), startDeliveriesLoop({ ...deps, sources }, 'test')];
  const [alarms, deliveries] = loops;
  store.onChange(['alarms'], () => alarms?.look());
  store.onChange(['eventDeliveries'], () => deliveries?.look());
});
afterEach(async () => {
  for (const loop of loops) await loop.stop();
  await store.close();
});

const intent = () => ({ store, clock, random: seededRandom(2) });
async function make(actions: Partial<Record<AlarmState, string[]>>, actionsEnabled = true, name = 'a'): Promise<void> {
  const desired: Omit<MetricAlarmDesired, 'updatedAt' | 'set'> = {
    queries: [{ id: 'm1', label: undefined, returned: true, periodS: 60, metric: { namespace: 'N', name: 'M', dimensions: {}, statistic: 'Sum' } }],
    periodS: 60,
    threshold: 1,
    comparison: 'GreaterThanThreshold',
    evaluationPeriods: 1,
    datapointsToAlarm: 1,
    missingData: 'ignore',
    actionsEnabled,
    actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [], ...actions },
    tags: [],
    front: {},
  }; // prettier-ignore
  await putAlarm(intent(), scope, name, desired);
  await clock.advance(100);
}
async function set(state: AlarmState, name = 'a'): Promise<void> {
  await setAlarmState(intent(), scope, name, { state, reason: `set to ${state}`, data: null });
  await clock.advance(100);
}
/** Kinds and summaries, the oldest first, but for what tells that it was made or changed. */
async function history(name = 'a'): Promise<string[]> {
  const alarm = await store.read((tx) => tx.alarms.get({ ...scope, name }));
  return (alarm?.observed.history ?? [])
    .filter(({ kind }) => kind !== 'ConfigurationUpdate')
    .map(({ kind, summary }) => `${kind}: ${summary}`)
    .toReversed();
}
const targets = () => brought.map(({ target, alarm }) => `${alarm?.name} ${alarm?.state} ${target.arn}`);

describe('the actions of an alarm', () => {
  it('are those of the new state, brought with the event of the change', async () => {
    await make({ ALARM: [log, hook], OK: [log] });
    await set('ALARM');
    assert.deepEqual(targets(), [`a ALARM ${log}`, `a ALARM ${hook}`]);
    const [{ event, sourceArn, sourceName } = assert.fail()] = brought;
    assert.deepEqual([event['detail-type'], event.source, event.resources], ['CloudWatch Alarm State Change', 'aws.cloudwatch', [arn('cloudwatch', 'alarm:a')]]); // prettier-ignore
    assert.deepEqual([sourceArn, sourceName], [arn('cloudwatch', 'alarm:a'), 'a']);
    const { state, previousState } = event.detail as Record<string, { value: string; reason: string }>;
    assert.deepEqual([previousState?.value, state?.value, state?.reason], ['INSUFFICIENT_DATA', 'ALARM', 'set to ALARM']);
    await set('OK');
    assert.deepEqual(targets().slice(2), [`a OK ${log}`]);
    await set('INSUFFICIENT_DATA');
    assert.equal(brought.length, 3);
    assert.deepEqual(await history(), [
      'StateUpdate: Alarm updated from INSUFFICIENT_DATA to ALARM',
      `Action: Successfully executed action ${log}`,
      `Action: Successfully executed action ${hook}`,
      'StateUpdate: Alarm updated from ALARM to OK',
      `Action: Successfully executed action ${log}`,
      'StateUpdate: Alarm updated from OK to INSUFFICIENT_DATA',
    ]);
  });

  it('come with a change of state alone', async () => {
    await make({ ALARM: [log] });
    await set('ALARM');
    await set('ALARM');
    await make({ ALARM: [log, hook] });
    await clock.advance(5 * MINUTE);
    assert.deepEqual(targets(), [`a ALARM ${log}`]);
  });

  it('rest while they are disabled, and are not made up for', async () => {
    await make({ ALARM: [log, topic], OK: [log] }, false);
    await set('ALARM');
    await setAlarmActions(intent(), scope, ['a'], true);
    await clock.advance(2 * MINUTE);
    assert.deepEqual([targets(), await history()], [[], ['StateUpdate: Alarm updated from INSUFFICIENT_DATA to ALARM']]);
    await set('OK');
    assert.deepEqual(targets(), [`a OK ${log}`]);
  });

  it('that berth has nothing for are told as failed, by name, and hold up no other', async () => {
    const kinds: [arn: string, why: RegExp][] = [
      [topic, /berth has no SNS topics/],
      [arn('lambda', 'function:f'), /berth has no Lambda functions/],
      [arn('autoscaling', 'scalingPolicy:1:x'), /no scaling policies/],
      ['arn:aws:automate:us-east-1:ec2:stop', /no EC2 instances/],
      [arn('ssm', 'opsitem:1'), /no Systems Manager/],
      [arn('logs', 'destination:d'), /nothing behind it/],
    ];
    await make({ ALARM: [...kinds.map(([one]) => one), log] });
    await set('ALARM');
    assert.deepEqual(targets(), [`a ALARM ${log}`]);
    const told = await history();
    for (const [one, why] of kinds) {
      const line = told.find((text) => text.startsWith(`Action: Failed to execute action ${one}: `));
      assert.match(line ?? '', why);
    }
    assert.equal(told.at(-1), `Action: Successfully executed action ${log}`);
  });

  it('are tried again for a quarter of an hour, and the history says once how it ended', async () => {
    const failed: Outcome = { ok: false, again: true, code: 'SDK_CLIENT_ERROR', message: 'answered 503' };
    await make({ ALARM: [hook] });
    outcomes = [failed, failed];
    await set('ALARM');
    await clock.advance(MINUTE);
    assert.equal(brought.length, 3);
    assert.equal(new Set(brought.map(({ id }) => id)).size, 1);
    assert.deepEqual((await history()).slice(1), [`Action: Successfully executed action ${hook}`]);
    brought = [];
    await set('OK');
    outcomes = Array.from({ length: 100 }, () => failed);
    await set('ALARM');
    await clock.advance(30 * MINUTE);
    assert.ok(brought.length >= 8 && brought.length <= 11, `${brought.length} tries`);
    assert.equal((await history()).at(-1), `Action: Failed to execute action ${hook}: answered 503`);
    assert.equal(await store.read((tx) => tx.eventDeliveries.count()), 0);
  });

  it('that are refused for good are given up at once', async () => {
    await make({ ALARM: [hook] });
    outcomes = [{ ok: false, again: false, code: 'NO_RESOURCE', message: 'the API destination hook does not exist' }];
    await set('ALARM');
    await clock.advance(30 * MINUTE);
    assert.equal(brought.length, 1);
    assert.equal((await history()).at(-1), `Action: Failed to execute action ${hook}: the API destination hook does not exist`);
  });

  it('of an alarm that is gone meanwhile end without a trace', async () => {
    await make({ ALARM: [hook] });
    outcomes = [{ ok: false, again: true, code: 'X', message: 'later' }];
    await set('ALARM');
    await deleteAlarms(intent(), scope, ['a']);
    await clock.advance(MINUTE);
    assert.equal(brought.length, 2);
    assert.equal(await store.read((tx) => tx.eventDeliveries.count()), 0);
  });
});
