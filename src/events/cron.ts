/**
 * AWS's cron: minutes, hours, day of month, month, day of week, year; with `, - * ? / L W #`. Days are looked through one by one, each with the times that it has.
 * Source: EventBridge user guide, "Cron expressions".
 */
import type { Schedule } from './schedule.ts';
import { ExpressionError, NO_SCHEDULE } from './types.ts';
import type { WallClock } from './zone.ts';

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const LAST_YEAR = 2199;
const DAY_MS = 86_400_000;

/** A day, told by its number in the month, the month's length, and its weekday (1 is Sunday). */
type Day = { day: number; length: number; weekday: number };

export function parseCron(text: string, clock: WallClock): Schedule {
  const fields = text.trim().split(/\s+/);
  const [minutes, hours, monthDays, months, weekdays, years] = fields;
  if (fields.length !== 6 || !minutes || !hours || !monthDays || !months || !weekdays || !years) throw invalid();
  // One of the two says which days, and the other nothing.
  if ((monthDays === '?') === (weekdays === '?')) throw invalid();
  const inMinutes = [...numbers(minutes, 0, 59)].sort((a, b) => a - b);
  const inHours = [...numbers(hours, 0, 23)].sort((a, b) => a - b);
  const inMonths = numbers(months, 1, 12, MONTHS);
  const inYears = numbers(years, 1970, LAST_YEAR);
  const onDay = monthDays === '?' ? weekdayTest(weekdays) : monthDayTest(monthDays);
  const next = (time: number): number | null => {
    const from = clock.at(time);
    for (let year = from.year; year <= LAST_YEAR; year++) {
      if (!inYears.has(year)) continue;
      for (let month = year === from.year ? from.month : 1; month <= 12; month++) {
        if (!inMonths.has(month)) continue;
        const isFirst = year === from.year && month === from.month;
        const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
        for (let day = isFirst ? from.day : 1; day <= length; day++) {
          const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;
          if (!onDay({ day, length, weekday })) continue;
          const due = inDay(year, month, day, time);
          if (due !== null) return due;
        }
      }
    }
    return null;
  };
  const inDay = (year: number, month: number, day: number, time: number): number | null => {
    if (clock.instant({ year, month, day, hour: 23, minute: 59 }) + DAY_MS / 24 <= time) return null;
    for (const hour of inHours) {
      // The clock is put forward and back by hours at most.
      if (clock.instant({ year, month, day, hour, minute: 59 }) + DAY_MS / 12 <= time) continue;
      for (const minute of inMinutes) {
        const due = clock.instant({ year, month, day, hour, minute });
        if (due > time) return due;
      }
    }
    return null;
  };
  return { kind: 'cron', next };
}

/** `5`, `1-5`, `MON`, `*`, `0/15`, `2-10/2`, and lists of these. */
function numbers(text: string, low: number, high: number, names: readonly string[] = []): Set<number> {
  const found = new Set<number>();
  const read = (one: string): number => {
    const named = names.indexOf(one.toUpperCase());
    const value = named >= 0 ? named + low : /^\d{1,4}$/.test(one) ? Number(one) : Number.NaN;
    if (!(value >= low && value <= high)) throw invalid();
    return value;
  };
  for (const item of text.split(',')) {
    const [range = '', step, ...more] = item.split('/');
    const by = step === undefined ? 1 : Number(/^\d{1,4}$/.test(step) ? step : Number.NaN);
    // As AWS has it, a step is a value of the field: */60 is no number of minutes.
    if (more.length > 0 || !(by >= 1 && by <= high)) throw invalid();
    const [first = '', last, ...others] = range === '*' ? [String(low), String(high)] : range.split('-');
    if (others.length > 0) throw invalid();
    const from = read(first);
    const to = last === undefined ? (step === undefined ? from : high) : read(last);
    if (to >= from) for (let value = from; value <= to; value += by) found.add(value);
    // Round the end: FRI-MON, and 22-2.
    else for (let value = from; value <= to + (high - low + 1); value += by) found.add(value > high ? value - (high - low + 1) : value);
  }
  return found;
}

function monthDayTest(text: string): (day: Day) => boolean {
  if (text === 'L') return ({ day, length }) => day === length;
  const before = /^L-(\d{1,2})$/.exec(text)?.[1];
  if (before !== undefined) {
    const [days = 0] = numbers(before, 1, 30);
    return ({ day, length }) => day === length - days;
  }
  if (text === 'LW') return ({ day, length, weekday }) => day === nearestWorkday(length, { day, length, weekday });
  const near = /^(\d{1,2})W$/.exec(text)?.[1];
  if (near !== undefined) {
    const [wanted = 0] = numbers(near, 1, 31);
    return (one) => wanted <= one.length && one.day === nearestWorkday(wanted, one);
  }
  const days = numbers(text, 1, 31);
  return ({ day }) => days.has(day);
}

/** The workday next to this day of the month, without leaving the month. `one`: any day of it. */
function nearestWorkday(wanted: number, { day, length, weekday }: Day): number {
  const falls = ((((weekday - 1 + wanted - day) % 7) + 7) % 7) + 1;
  if (falls === 7) return wanted > 1 ? wanted - 1 : wanted + 2;
  if (falls === 1) return wanted < length ? wanted + 1 : wanted - 2;
  return wanted;
}

function weekdayTest(text: string): (day: Day) => boolean {
  const last = /^(\w+)L$/i.exec(text)?.[1];
  if (text.toUpperCase() === 'L') return ({ weekday }) => weekday === 7;
  if (last !== undefined) {
    const days = numbers(last, 1, 7, DAYS);
    return ({ day, length, weekday }) => days.has(weekday) && day + 7 > length;
  }
  const [, which, nth] = /^(\w+)#([1-5])$/.exec(text) ?? [];
  if (which !== undefined) {
    const days = numbers(which, 1, 7, DAYS);
    return ({ day, weekday }) => days.has(weekday) && Math.ceil(day / 7) === Number(nth);
  }
  const days = numbers(text, 1, 7, DAYS);
  return ({ weekday }) => days.has(weekday);
}

const invalid = () => new ExpressionError(NO_SCHEDULE);
