import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSchedule } from './schedule.ts';

const at = (iso: string) => Date.parse(iso);
/** The next `count` times after an instant. */
function times(text: string, from: string, count: number, zone = 'UTC'): string[] {
  const schedule = parseSchedule(text, { at: true, zone });
  const found: string[] = [];
  let time: number | null = at(from);
  while (found.length < count && time !== null) {
    time = schedule.next(time, at(from));
    if (time !== null) found.push(new Date(time).toISOString().slice(0, 16));
  }
  return found;
}

test('rates are counted from their beginning', () => {
  assert.deepEqual(times('rate(5 minutes)', '2026-11-27T12:03:30Z', 2), ['2026-11-27T12:08', '2026-11-27T12:13']);
  assert.deepEqual(times('rate(1 day)', '2026-02-28T00:00:00Z', 1), ['2026-03-01T00:00']);
  const { next } = parseSchedule('rate(1 hour)', { at: false });
  assert.equal(next(at('2026-01-01T05:30:00Z'), at('2026-01-01T00:10:00Z')), at('2026-01-01T06:10:00Z'));
});

test("the documentation's cron expressions", () => {
  const from = '2026-11-27T12:00:00Z'; // a Friday
  assert.deepEqual(times('cron(0 10 * * ? *)', from, 2), ['2026-11-28T10:00', '2026-11-29T10:00']);
  assert.deepEqual(times('cron(15 12 * * ? *)', from, 1), ['2026-11-27T12:15']);
  assert.deepEqual(times('cron(0 18 ? * MON-FRI *)', from, 3), ['2026-11-27T18:00', '2026-11-30T18:00', '2026-12-01T18:00']);
  assert.deepEqual(times('cron(0 8 1 * ? *)', from, 2), ['2026-12-01T08:00', '2027-01-01T08:00']);
  assert.deepEqual(times('cron(0/15 * * * ? *)', from, 2), ['2026-11-27T12:15', '2026-11-27T12:30']);
  assert.deepEqual(times('cron(0/5 8-17 ? * MON-FRI *)', '2026-11-27T17:50:00Z', 2), ['2026-11-27T17:55', '2026-11-30T08:00']);
  assert.deepEqual(times('cron(0 9 ? * 2#1 *)', from, 2), ['2026-12-07T09:00', '2027-01-04T09:00']);
  assert.deepEqual(times('cron(0 9 ? * 6L 2026)', from, 2), ['2026-12-25T09:00']);
  assert.deepEqual(times('cron(0 0 L * ? *)', from, 2), ['2026-11-30T00:00', '2026-12-31T00:00']);
  assert.deepEqual(times('cron(0 0 3W * ? *)', from, 2), ['2026-12-03T00:00', '2027-01-04T00:00']);
  assert.deepEqual(times('cron(0 0 29 2 ? *)', from, 1), ['2028-02-29T00:00']);
  assert.deepEqual(times('cron(0 12 ? * FRI-MON *)', from, 3), ['2026-11-28T12:00', '2026-11-29T12:00', '2026-11-30T12:00']);
  assert.deepEqual(times('cron(0 12 * * ? 2020)', from, 1), []);
});

test('wall clocks: a time that is skipped comes at the change, one that comes twice comes once', () => {
  // Berlin: put forward on 2026-03-29 at 02:00 (01:00 UTC), back on 2026-10-25 at 03:00 (01:00 UTC).
  assert.deepEqual(times('cron(30 2 * * ? *)', '2026-03-28T00:00:00Z', 3, 'Europe/Berlin'), [
    '2026-03-28T01:30',
    '2026-03-29T01:00',
    '2026-03-30T00:30',
  ]);
  assert.deepEqual(times('cron(30 2 * * ? *)', '2026-10-24T12:00:00Z', 2, 'Europe/Berlin'), ['2026-10-25T00:30', '2026-10-26T01:30']);
  assert.deepEqual(times('at(2026-07-01T08:00:00)', '2026-01-01T00:00:00Z', 2, 'America/New_York'), ['2026-07-01T12:00']);
  assert.deepEqual(
    times('cron(45 5 * * ? *)', '2026-01-01T00:00:00Z', 1, 'Asia/Kathmandu'),
    ['2026-01-02T00:00']
      .map(() => '2026-01-01T00:00')
      .slice(1)
      .concat('2026-01-02T00:00'),
  );
});

test('what is no schedule is refused', () => {
  const wrong = [
    '', 'rate(5 minute)', 'rate(1 minutes)', 'rate(0 minutes)', 'rate(5  minutes)', 'rate(5 weeks)', 'cron(0 9 * * * *)', 'cron(0 9 ? * ? *)', 'cron(0 9 * * ?)',
    'cron(60 9 * * ? *)', 'cron(0 24 * * ? *)', 'cron(0 9 32 * ? *)', 'cron(0 9 ? * 8 *)', 'cron(0 9 * 13 ? *)', 'cron(a 9 * * ? *)', 'cron(0/0 9 * * ? *)',
    'at(2026-02-30T00:00:00)', 'at(2026-01-01)', 'every(5 minutes)',
  ]; // prettier-ignore
  for (const text of wrong) assert.throws(() => parseSchedule(text, { at: true }), { name: 'ExpressionError' }, text);
  assert.throws(() => parseSchedule('at(2026-01-01T00:00:00)', { at: false }), { name: 'ExpressionError' });
  assert.throws(() => parseSchedule('cron(0 9 * * ? *)', { at: true, zone: 'Mars/Base' }), /Timezone/);
});

test('a cron of minutes and hours comes when looking minute by minute says so', () => {
  const minute = fc.constantFrom('0', '7', '0/20', '10-12', '*/30', '5,55');
  const hour = fc.constantFrom('0', '1-3', '*', '0/6', '23', '2');
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe');
  const start = fc.integer({ min: Math.floor(at('2026-03-27T00:00:00Z') / 60_000), max: Math.floor(at('2026-04-06T00:00:00Z') / 60_000) });
  fc.assert(
    fc.property(minute, hour, zone, start, (m, h, tz, from) => {
      const schedule = parseSchedule(`cron(${m} ${h} * * ? *)`, { at: false, zone: tz });
      const due = schedule.next(from * 60_000, 0);
      assert.ok(due !== null && due > from * 60_000);
      // Each time after it is later, and what lies between is due at no other time.
      assert.equal(schedule.next(due - 1, 0), due);
      if (tz === 'UTC') {
        const wanted = (time: number) => schedule.next(time - 1, 0) === time;
        for (let time = (from + 1) * 60_000; time < due && time < (from + 120) * 60_000; time += 60_000) assert.ok(!wanted(time));
      }
    }),
    { numRuns: 60 },
  );
});
