import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits.ts';
import type { Delivery, EventEnvelope, EventRuleRecord, EventTarget } from '#domain/event.ts';
import { compilePattern } from '#events/index.ts';
import { afterTry, deliveriesOf, deliveriesTo, type Outcome } from './event-rules.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const NOW = 1_800_000_000_000;
const event: EventEnvelope = { version: '0', id: 'e', 'detail-type': 'Sold', source: 'shop', account: scope.account, time: '2027-01-15T08:00:00Z', region: scope.region, resources: [], detail: { n: 3 } }; // prettier-ignore

const target = (id: string, change: Partial<EventTarget> = {}): EventTarget => ({ id, arn: `arn:aws:logs:us-east-1:123456789012:log-group:${id}`, roleArn: null, input: {}, maxAttempts: 3, maxAgeMs: 3_600_000, deadLetterArn: null, parameters: {}, front: {}, ...change }); // prettier-ignore

function rule(name: string, change: Partial<EventRuleRecord['desired']> = {}, key: object = {}): EventRuleRecord {
  const desired = { createdAt: 0, enabled: true, description: null, pattern: '{"source":["shop"]}', schedule: null, scheduledFrom: 0, roleArn: null, tags: [], targets: [target('a'), target('b')], ...change }; // prettier-ignore
  return { key: { ...scope, bus: 'default', name, ...key }, revision: 1, desired, observed: { firedFor: null } };
}

test('an event goes to each target of each rule of its own bus, region and account that is enabled and matches', () => {
  const rules = [
    rule('fits'),
    rule('deeper', { pattern: '{"detail":{"n":[{"numeric":[">",2]}]}}', targets: [target('c')] }),
    rule('other', { pattern: '{"source":["bank"]}' }),
    rule('off', { enabled: false }),
    rule('timed', { pattern: null, schedule: 'rate(1 day)' }),
    rule('idle', { targets: [] }),
    rule('unreadable', { pattern: '{"source":' }),
    rule('elsewhere', {}, { region: 'eu-west-1' }),
    rule('foreign', {}, { account: '210987654321' }),
    rule('side', {}, { bus: 'side' }),
  ];
  const patternOf = (text: string) => {
    try {
      return compilePattern(text);
    } catch {
      return null;
    }
  };
  const made = deliveriesOf({ ...scope, bus: 'default', at: NOW, event }, rules, patternOf, NOW);
  assert.deepEqual(
    made.map(({ id }) => id),
    ['e/default/fits/a', 'e/default/fits/b', 'e/default/deeper/c'],
  );
  assert.deepEqual([made[0]?.sourceArn, made[0]?.dueAt, made[0]?.attempts], ['arn:aws:events:us-east-1:123456789012:rule/fits', NOW, 0]);
  // Made once more after a kill, it is the same delivery.
  assert.deepEqual(deliveriesTo(rule('fits'), event, NOW), made.slice(0, 2));
});

const failed = (again = true): Outcome => ({ ok: false, again, code: 'SDK_CLIENT_ERROR', message: 'answered 503' });
function delivery(change: Partial<EventTarget> = {}, more: Partial<Delivery> = {}): Delivery {
  const [made] = deliveriesTo(rule('r', { targets: [target('a', change)] }), event, NOW);
  return { ...(made as Delivery), ...more };
}

test('what arrived is done', () => {
  assert.deepEqual(afterTry(delivery(), { ok: true }, NOW, 0.5), { done: true, dead: null });
});

test('a failure is tried again as many times as the policy says, each wait twice the one before, up to five minutes', () => {
  const dead = 'arn:aws:logs:us-east-1:123456789012:log-group:dead';
  let [one, now] = [delivery({ maxAttempts: 12, maxAgeMs: limits.eventAgeMs, deadLetterArn: dead }), NOW];
  const waits: number[] = [];
  for (;;) {
    const after = afterTry(one, failed(), now, 0);
    if (after.done) {
      assert.equal(after.dead?.target.arn, dead);
      break;
    }
    assert.equal(after.delivery.id, one.id);
    assert.equal(after.delivery.at, NOW);
    waits.push(after.delivery.dueAt - now);
    [one, now] = [after.delivery, after.delivery.dueAt];
  }
  // Half of the wait at least, the rest by chance.
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 150_000, 150_000, 150_000]);
  const longest = afterTry(delivery(), failed(), NOW, 0.999_999);
  assert.ok(!longest.done && longest.delivery.dueAt === NOW + 1000);
});

test('a delivery is over by its attempts, by its age, or because trying again is no use', () => {
  const isOver = (change: Partial<EventTarget>, more: Partial<Delivery>, outcome = failed(), now = NOW) =>
    afterTry(delivery(change, more), outcome, now, 0.5).done;
  const cases: [what: string, over: boolean, is: boolean][] = [
    ['no retries: the first failure ends it', true, isOver({ maxAttempts: 0 }, {})],
    ['one retry: the first failure does not', false, isOver({ maxAttempts: 1 }, {})],
    ['one retry: the second does', true, isOver({ maxAttempts: 1 }, { attempts: 1 })],
    ['the most that AWS has', false, isOver({ maxAttempts: 185 }, { attempts: 184 })],
    ['and one more', true, isOver({ maxAttempts: 185 }, { attempts: 185 })],
    ['young enough at its next try', false, isOver({ maxAgeMs: 60_000 }, {}, failed(), NOW + 59_000)],
    ['too old at its next try', true, isOver({ maxAgeMs: 60_000 }, {}, failed(), NOW + 59_500)],
    ['a wait that would outlast the age', true, isOver({ maxAgeMs: 60_000, maxAttempts: 185 }, { attempts: 12 })],
    ['no use', true, isOver({ maxAttempts: 185 }, {}, failed(false))],
  ];
  for (const [what, over, is] of cases) assert.equal(is, over, what);
});

test('a dead letter says why, has the whole event, and itself ends somewhere', () => {
  const group = 'arn:aws:logs:us-east-1:123456789012:log-group:dead';
  const after = afterTry(delivery({ maxAttempts: 2, deadLetterArn: group, roleArn: 'role' }, { attempts: 2 }), failed(), NOW + 5, 0.5);
  assert.ok(after.done && after.dead !== null);
  const { dead } = after;
  assert.deepEqual([dead.id, dead.target.arn, dead.target.id, dead.attempts, dead.at, dead.dueAt], ['e/default/r/a/dead', group, 'dead-letters', 0, NOW + 5, NOW + 5]); // prettier-ignore
  assert.deepEqual(JSON.parse(dead.target.input.constant ?? ''), {
    ruleArn: 'arn:aws:events:us-east-1:123456789012:rule/r',
    targetArn: 'arn:aws:logs:us-east-1:123456789012:log-group:a',
    errorCode: 'SDK_CLIENT_ERROR',
    errorMessage: 'answered 503',
    retryAttempts: 2,
    event,
  });
  assert.deepEqual(afterTry(dead, failed(false), NOW, 0.5), { done: true, dead: null });
  assert.deepEqual(afterTry(delivery({ maxAttempts: 0 }), failed(), NOW, 0.5), { done: true, dead: null });
});

test("a dead letter is no action of an alarm's", () => {
  const ofAlarm = delivery({ maxAttempts: 0, deadLetterArn: 'arn:aws:logs:us-east-1:123456789012:log-group:dead' }, { alarm: { name: 'a', state: 'ALARM' } }); // prettier-ignore
  const after = afterTry(ofAlarm, failed(), NOW, 0.5);
  assert.ok(after.done && after.dead !== null);
  assert.equal(after.dead.alarm, null);
});
