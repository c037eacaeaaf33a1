import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { EventRuleRecord, ScheduleRecord } from '#domain/event.ts';
import { parseSchedule } from '#events/index.ts';
import { dueOf, ruleDue, scheduleDue, windowOffset } from './schedules.ts';

const at = (iso: string) => Date.parse(`${iso}Z`);
const told = (time: number | null) => (time === null ? null : new Date(time).toISOString().slice(0, 19));
const MINUTE = 60_000;

const scope = { account: '1', region: 'r' };
function rule(change: Partial<EventRuleRecord['desired']>, firedFor: number | null = null): EventRuleRecord {
  const desired = { createdAt: 0, enabled: true, description: null, pattern: null, schedule: null, scheduledFrom: 0, roleArn: null, tags: [], targets: [], ...change }; // prettier-ignore
  return { key: { ...scope, bus: 'default', name: 'n' }, revision: 1, desired, observed: { firedFor } };
}
function schedule(change: Partial<ScheduleRecord['desired']>, firedFor: number | null = null): ScheduleRecord {
  const target = {
    id: 't',
    arn: 'a',
    roleArn: null,
    input: {},
    maxAttempts: 1,
    maxAgeMs: 1,
    deadLetterArn: null,
    parameters: {},
    front: {},
  };
  const desired = { createdAt: 0, updatedAt: 0, expression: '', zone: 'UTC', startAt: null, endAt: null, enabled: true, description: null, windowMs: null, deleteWhenDone: false, scheduledFrom: 0, target, ...change }; // prettier-ignore
  return { key: { ...scope, group: 'default', name: 'n' }, revision: 1, desired, observed: { firedFor } };
}
const parsed = (text: string, zone = 'UTC') => parseSchedule(text, { at: true, zone });
const due = ({ firing, next }: { firing: number | null; next: number | null }) => [told(firing), told(next)];

test("a rule's rate is first due one interval after it began, and then keeps its beat", () => {
  const every = parsed('rate(5 minutes)');
  const from = at('2026-11-27T12:03:30');
  const cases: [now: string, firedFor: string | null, firing: string | null, next: string | null][] = [
    ['2026-11-27T12:03:30', null, null, '2026-11-27T12:08:30'],
    ['2026-11-27T12:08:29', null, null, '2026-11-27T12:08:30'],
    ['2026-11-27T12:08:30', null, '2026-11-27T12:08:30', '2026-11-27T12:13:30'],
    ['2026-11-27T12:09:00', '2026-11-27T12:08:30', null, '2026-11-27T12:13:30'],
    // Late by a little: the beat stays.
    ['2026-11-27T12:14:59', '2026-11-27T12:08:30', '2026-11-27T12:13:30', '2026-11-27T12:18:30'],
    // Away for a day: the newest alone.
    ['2026-11-28T12:10:00', '2026-11-27T12:08:30', '2026-11-28T12:08:30', '2026-11-28T12:13:30'],
  ];
  for (const [now, fired, firing, next] of cases) {
    const record = rule({ scheduledFrom: from }, fired === null ? null : at(fired));
    assert.deepEqual(due(ruleDue(record, every, at(now))), [firing, next], now);
  }
});

test('what fired before a rule was changed says nothing of what is due after', () => {
  const from = at('2026-11-27T12:00:00');
  assert.deepEqual(due(ruleDue(rule({ scheduledFrom: from }, at('2026-11-27T11:59:00')), parsed('rate(1 minute)'), from + 30_000)), [null, '2026-11-27T12:01:00']); // prettier-ignore
  // It was disabled meanwhile: its times then are not made up for, since enabling it begins anew.
  assert.deepEqual(due(ruleDue(rule({ scheduledFrom: from, enabled: false }), parsed('rate(1 minute)'), from + 5 * MINUTE)), [null, null]);
  assert.deepEqual(due(ruleDue(rule({ scheduledFrom: from }), parsed('cron(0 12 * * ? *)'), from)), [null, '2026-11-28T12:00:00']);
});

test("a schedule's start, end, and a rate that is due at its beginning", () => {
  const [start, end] = [at('2026-12-01T00:00:00'), at('2026-12-01T02:00:00')];
  const between = { startAt: start, endAt: end, scheduledFrom: at('2026-11-27T00:00:00') };
  const cases: [expression: string, now: string, firedFor: string | null, firing: string | null, next: string | null][] = [
    ['rate(1 hour)', '2026-11-30T23:59:59', null, null, '2026-12-01T00:00:00'],
    ['rate(1 hour)', '2026-12-01T00:00:00', null, '2026-12-01T00:00:00', '2026-12-01T01:00:00'],
    // The end itself is within.
    ['rate(1 hour)', '2026-12-01T01:30:00', '2026-12-01T01:00:00', null, '2026-12-01T02:00:00'],
    ['rate(1 hour)', '2026-12-01T02:00:00', '2026-12-01T01:00:00', '2026-12-01T02:00:00', null],
    ['rate(1 hour)', '2027-01-01T00:00:00', '2026-12-01T02:00:00', null, null],
    // Nobody looked until it was over: its last time fires, late.
    ['rate(1 hour)', '2027-01-01T00:00:00', null, '2026-12-01T02:00:00', null],
    ['cron(30 * * * ? *)', '2026-11-30T12:00:00', null, null, '2026-12-01T00:30:00'],
    ['cron(0 0 * * ? *)', '2026-12-01T00:00:00', null, '2026-12-01T00:00:00', null],
    ['cron(0 3 * * ? *)', '2026-11-30T12:00:00', null, null, null],
  ];
  for (const [expression, now, fired, firing, next] of cases) {
    const record = schedule({ ...between, expression }, fired === null ? null : at(fired));
    assert.deepEqual(due(scheduleDue(record, parsed(expression), at(now))), [firing, next], `${expression} at ${now}`);
  }
  const plain = schedule({ scheduledFrom: start });
  assert.deepEqual(due(scheduleDue(plain, parsed('rate(1 day)'), start)), ['2026-12-01T00:00:00', '2026-12-02T00:00:00']);
  assert.deepEqual(due(scheduleDue(schedule({ enabled: false }), parsed('rate(1 day)'), start)), [null, null]);
});

test('a one-time schedule fires once, also late, and not for a time before it was made', () => {
  const once = parsed('at(2026-12-01T08:00:00)', 'America/New_York');
  const made = { scheduledFrom: at('2026-11-27T00:00:00') };
  assert.deepEqual(due(scheduleDue(schedule(made), once, at('2026-11-28T00:00:00'))), [null, '2026-12-01T13:00:00']);
  assert.deepEqual(due(scheduleDue(schedule(made), once, at('2026-12-05T00:00:00'))), ['2026-12-01T13:00:00', null]);
  assert.deepEqual(due(scheduleDue(schedule(made, at('2026-12-01T13:00:00')), once, at('2026-12-05T00:00:00'))), [null, null]);
  assert.deepEqual(due(scheduleDue(schedule({ scheduledFrom: at('2026-12-02T00:00:00') }), once, at('2026-12-05T00:00:00'))), [null, null]);
});

test('a schedule in a zone keeps its hour over both changes of the clock', () => {
  const daily = parsed('cron(0 9 * * ? *)', 'Europe/Berlin');
  const firings = (from: string, days: number) => {
    const found: (string | null)[] = [];
    let fired: number | null = null;
    for (let now = at(from); now < at(from) + days * 86_400_000; now += 10 * MINUTE) {
      const { firing } = scheduleDue(schedule({ scheduledFrom: at(from) }, fired), daily, now);
      if (firing === null) continue;
      found.push(told(firing));
      fired = firing;
    }
    return found;
  };
  assert.deepEqual(firings('2026-03-28T00:00:00', 3), ['2026-03-28T08:00:00', '2026-03-29T07:00:00', '2026-03-30T07:00:00']);
  assert.deepEqual(firings('2026-10-24T00:00:00', 3), ['2026-10-24T07:00:00', '2026-10-25T08:00:00', '2026-10-26T08:00:00']);
});

test('whoever looks how often and however late, each time fires at most once, in order, and the newest is never missed', () => {
  const expressions = fc.constantFrom(
    'rate(1 minute)',
    'rate(7 minutes)',
    'cron(0/5 * * * ? *)',
    'cron(3,4 2-4 * * ? *)',
    'cron(30 2 * * ? *)',
  );
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe');
  const looks = fc.array(fc.integer({ min: 1, max: 3 * 1440 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(expressions, zones, looks, (expression, zone, waits) => {
      const anchor = at('2026-10-24T22:00:00');
      const plan = parsed(expression, zone);
      let [now, fired] = [anchor, null as number | null];
      for (const wait of waits) {
        now += wait * MINUTE;
        const { firing, next } = dueOf(plan, { anchor, since: fired ?? anchor, now, until: null });
        assert.ok(next !== null && next > now);
        if (firing !== null) {
          assert.ok(firing > (fired ?? anchor) && firing <= now);
          fired = firing;
        }
        // Nothing lies between what fired last and now.
        assert.equal(plan.next(fired ?? anchor, anchor), next);
      }
    }),
    { numRuns: 12 },
  );
});

test("a flexible window's moment is the same whenever it is asked, within it, and not the same for all", () => {
  const offsets = Array.from({ length: 50 }, (_, n) => windowOffset(`arn ${n}`, 1_000, 15 * MINUTE));
  assert.ok(offsets.every((one) => Number.isInteger(one) && one >= 0 && one < 15 * MINUTE));
  assert.ok(new Set(offsets).size > 40);
  assert.deepEqual(offsets, Array.from({ length: 50 }, (_, n) => windowOffset(`arn ${n}`, 1_000, 15 * MINUTE))); // prettier-ignore
  assert.equal(windowOffset('arn', 1_000, null), 0);
});
