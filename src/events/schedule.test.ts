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

test('corners of cron: last days, workdays, the nth weekday, years, leap years', () => {
  const cases: [fields: string, from: string, wanted: string[]][] = [
    // The last day, and days before it; February of a leap year and of none (2100 is none).
    ['0 0 L 2 ? *', '2027-01-01', ['2027-02-28', '2028-02-29', '2029-02-28']],
    ['0 0 L-1 2 ? *', '2027-01-01', ['2027-02-27', '2028-02-28']],
    ['0 0 29 2 ? *', '2096-01-01', ['2096-02-29', '2104-02-29']],
    ['0 0 31 * ? *', '2026-11-01', ['2026-12-31', '2027-01-31', '2027-03-31']],
    // Workdays never leave the month: Saturday 1 August 2026 goes to the 3rd, Sunday 31 January 2027 to the 29th.
    ['0 0 1W * ? *', '2026-07-31', ['2026-08-03', '2026-09-01']],
    ['0 0 31W * ? *', '2027-01-01', ['2027-01-29', '2027-03-31']],
    ['0 0 15W * ? *', '2026-08-01', ['2026-08-14', '2026-09-15']],
    ['0 0 LW * ? *', '2027-01-01', ['2027-01-29', '2027-02-26', '2027-03-31']],
    // The fifth Monday is not in every month.
    ['0 0 ? * 2#5 *', '2026-11-01', ['2026-11-30', '2027-03-29']],
    ['0 0 ? * MON#1 *', '2026-11-27', ['2026-12-07']],
    ['0 0 ? * FRIL *', '2026-11-28', ['2026-12-25', '2027-01-29']],
    ['0 0 ? * L *', '2026-11-27', ['2026-11-28', '2026-12-05']],
    ['0 0 ? * SAT,SUN *', '2026-11-27', ['2026-11-28', '2026-11-29', '2026-12-05']],
    // Years: lists, ranges, steps, past ones, the last one.
    ['0 0 1 1 ? 2027-2029', '2026-01-01', ['2027-01-01', '2028-01-01', '2029-01-01']],
    ['0 0 1 1 ? 2027/10', '2026-01-01', ['2027-01-01', '2037-01-01']],
    ['0 0 1 1 ? 2026,2199', '2026-06-01', ['2199-01-01']],
    ['0 0 1 1 ? 1970-2025', '2026-01-01', []],
    ['0 0 30 2 ? *', '2026-01-01', []],
    // Months by name, in lists and round the end of the year.
    ['0 0 1 NOV-FEB ? *', '2026-11-27', ['2026-12-01', '2027-01-01', '2027-02-01', '2027-11-01']],
    ['0 0 1 JAN,jul ? *', '2026-11-27', ['2027-01-01', '2027-07-01']],
    // The largest steps: once in each.
    ['0 0 1 1/12 ? *', '2026-11-27', ['2027-01-01', '2028-01-01']],
    ['0 0 2/31 * ? *', '2026-11-27', ['2026-12-02', '2027-01-02']],
    ['0 0 ? * 2/7 *', '2026-11-27', ['2026-11-30', '2026-12-07']],
  ];
  for (const [fields, from, wanted] of cases) {
    const found = times(`cron(${fields})`, `${from}T00:00:00Z`, Math.max(1, wanted.length));
    assert.deepEqual(found, wanted.map((day) => `${day}T00:00`), fields); // prettier-ignore
  }
});

test('steps and ranges within a day', () => {
  const of = (fields: string, count: number) =>
    times(`cron(${fields} * * ? *)`, '2026-11-26T23:59:59Z', count).map((time) => time.slice(11));
  assert.deepEqual(of('5/25 0', 3), ['00:05', '00:30', '00:55']);
  assert.deepEqual(of('0-15/1 8-8', 2), ['08:00', '08:01']);
  assert.deepEqual(of('30-30 13-13', 1), ['13:30']);
  assert.deepEqual(of('0 22-2', 5), ['00:00', '01:00', '02:00', '22:00', '23:00']);
  assert.deepEqual(of('58-1 0', 4), ['00:00', '00:01', '00:58', '00:59']);
  assert.deepEqual(of('*/30 0/12', 4), ['00:00', '00:30', '12:00', '12:30']);
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
    'cron(60 9 * * ? *)', 'cron(0 24 * * ? *)', 'cron(0 9 32 * ? *)', 'cron(0 9 ? * 8 *)', 'cron(0 9 * 13 ? *)', 'cron(a 9 * * ? *)', 'cron(0/0 9 * * ? *)', 'cron(*/60 * * * ? *)', 'cron(0 */24 * * ? *)', 'cron(0 9 1 1/13 ? *)', 'cron(0 9 ? * 2#6 *)', 'cron(0 9 ? * 8L *)', 'cron(0 9 32W * ? *)', 'cron(0 9 WL * ? *)', 'cron(0 9 L-99 * ? *)', 'cron(0 9 1,L * ? *)', 'cron(0 9 * * ? 1969)', 'cron(0 9 * * ? 2200)', 'cron(0 9 * FOO ? *)', 'cron(1-2-3 9 * * ? *)', 'cron(1/2/3 9 * * ? *)', 'cron(, 9 * * ? *)', 'cron(? 9 * * ? *)', 'cron(0/5, 9-18, ?, *, MON-FRI, *)', 'cron(15 12 ? * -1 *)', 
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
