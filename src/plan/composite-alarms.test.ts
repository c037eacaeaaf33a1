import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAlarmRule } from '#domain/alarm-rule.ts';
import { newAlarmObserved } from '#domain/alarm.ts';
import type { AlarmState } from '#domain/alarm.ts';
import { evaluateComposite, evaluationOrder } from './composite-alarms.ts';
import type { Composite } from './composite-alarms.ts';
import { alarmEvent } from './event-details.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const at = Date.UTC(2022, 6, 22, 15, 57, 45, 394);
const arn = (name: string) => `arn:aws:cloudwatch:us-east-1:123456789012:alarm:${name}`;

function alarm(name: string, rule = 'FALSE', state: AlarmState = 'OK', transitionedAt = at): Composite {
  const { children } = parseAlarmRule(rule, scope);
  const wishes = { actionsEnabled: true, actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] }, updatedAt: 0, tags: [], set: null, front: {} };
  return { key: { ...scope, name }, revision: 1, desired: { rule, children, ...wishes }, observed: { ...newAlarmObserved(at), state, transitionedAt } };
} // prettier-ignore

const namesOf = (alarms: Composite[]) => alarms.map(({ key }) => key.name);

describe('the order of composite alarms', () => {
  it('has each after those that it depends on, whatever order they come in', () => {
    const all = [alarm('top', 'ALARM(left) OR ALARM(right)'), alarm('left', 'ALARM(leaf)'), alarm('right', 'ALARM(leaf)'), alarm('leaf', 'OK(metric)')]; // prettier-ignore
    for (const given of [all, all.toReversed(), [...all.slice(2), ...all.slice(0, 2)]]) {
      const names = namesOf(evaluationOrder(given));
      assert.deepEqual([names[0], names.slice(1, 3).sort(), names[3]], ['leaf', ['left', 'right'], 'top']);
    }
  });

  it('leaves out a circle, and what is above it', () => {
    const circle = [alarm('a', 'ALARM(b)'), alarm('b', 'ALARM(a)'), alarm('self', 'OK(self)'), alarm('above', 'ALARM(a) OR ALARM(fine)'), alarm('fine', 'TRUE')]; // prettier-ignore
    assert.deepEqual(namesOf(evaluationOrder(circle)), ['fine']);
  });
});

describe('a composite alarm', () => {
  const [one, other] = [alarm('one', 'FALSE', 'ALARM'), alarm('other', 'FALSE', 'OK', at - 5000)];
  const childOf = (name: string) => [one, other].find(({ key }) => key.name === name);

  it('says at first that it was made, and of which states', () => {
    const first = evaluateComposite(alarm('c', 'ALARM(one) AND ALARM(other)'), undefined, childOf);
    assert.equal(first?.verdict.reason, `${arn('c')} was created and its alarm rule evaluates to OK`);
    assert.deepEqual(JSON.parse(first?.verdict.data ?? ''), {
      triggeringAlarms: [
        { arn: arn('one'), state: { value: 'ALARM', timestamp: '2022-07-22T15:57:45.394+0000' } },
        { arn: arn('other'), state: { value: 'OK', timestamp: '2022-07-22T15:57:40.394+0000' } },
      ],
    });
    assert.deepEqual(Object.keys(first?.seen ?? {}), ['one', 'other']);
  });

  it('is evaluated again once a child became another state, and names it', () => {
    const composite = alarm('c', 'ALARM(one) OR ALARM(other)');
    const { seen } = evaluateComposite(composite, undefined, childOf) ?? assert.fail();
    assert.equal(evaluateComposite(composite, seen, childOf), null);
    const again = evaluateComposite(composite, { ...seen, one: `OK ${at - 1}` }, childOf);
    assert.deepEqual(again?.seen, seen);
    assert.equal(again?.verdict.state, 'ALARM');
    assert.equal(again?.verdict.reason, `${arn('one')} transitioned to ALARM at Friday 22 July, 2022 15:57:45 UTC`);
    assert.equal(JSON.parse(again?.verdict.data ?? '').triggeringAlarms.length, 1);
  });
});

it('the event of a composite alarm tells its rule', () => {
  const record = alarm('c', 'ALARM(one)', 'ALARM');
  const before = { state: 'OK' as const, reason: 'before', reasonData: null, stateUpdatedAt: at - 1000 };
  const after = { state: 'ALARM' as const, reason: 'after', reasonData: '{"triggeringAlarms":[]}', stateUpdatedAt: at };
  const event = alarmEvent(
    { alarm: record.key, before, after },
    { ...record, desired: { ...record.desired, front: { AlarmDescription: 'd' } } },
  );
  assert.deepEqual(event.resources, [arn('c')]);
  assert.deepEqual(event.detail, {
    alarmName: 'c',
    state: { value: 'ALARM', reason: 'after', reasonData: '{"triggeringAlarms":[]}', timestamp: '2022-07-22T15:57:45.394+0000' },
    previousState: { value: 'OK', reason: 'before', timestamp: '2022-07-22T15:57:44.394+0000' },
    configuration: { alarmRule: 'ALARM(one)', description: 'd' },
  });
});
