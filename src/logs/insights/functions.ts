/** Functions of Logs Insights queries, but for those that aggregate. Those of AWS that aren't here are refused by name. */
import { Instant, isTrue, toNumber, toText, type Value } from './values.ts';

type Fn = { least: number; most: number; run: (...values: Value[]) => Value };

const numeric = (run: (...numbers: number[]) => number, least = 1, most = least): Fn => ({
  least,
  most,
  run: (...values) => {
    const numbers = values.map(toNumber);
    if (numbers.some((number) => number === undefined)) return undefined;
    const result = run(...(numbers as number[]));
    return Number.isFinite(result) ? result : undefined;
  },
});
const text = (run: (first: string, ...others: Value[]) => Value, least = 1, most = least): Fn => ({
  least,
  most,
  run: (first, ...others) => (first === undefined ? undefined : run(toText(first), ...others)),
});
const floorTo = (at: number, period: number) => at - (((at % period) + period) % period);

/** Of a time and a period in ms. */
const rounded = (round: (at: number, period: number) => number): Fn => ({
  least: 2,
  most: 2,
  run: (time, period) => {
    const [at, ms] = [toNumber(time), toNumber(period)];
    return at === undefined || ms === undefined || ms <= 0 ? undefined : new Instant(round(at, ms));
  },
});

export const functions: ReadonlyMap<string, Fn> = new Map(
  Object.entries({
    abs: numeric(Math.abs),
    ceil: numeric(Math.ceil),
    floor: numeric(Math.floor),
    greatest: numeric(Math.max, 1, 50),
    least: numeric(Math.min, 1, 50),
    log: numeric(Math.log),
    sqrt: numeric(Math.sqrt),
    datefloor: rounded(floorTo),
    dateceil: rounded((at, period) => -floorTo(-at, period)),
    frommillis: { least: 1, most: 1, run: (value) => orUndefined(toNumber(value), (at) => new Instant(at)) },
    tomillis: { least: 1, most: 1, run: (value) => toNumber(value) },
    ispresent: { least: 1, most: 1, run: (value) => value !== undefined },
    coalesce: { least: 1, most: 50, run: (...values) => values.find((value) => value !== undefined) },
    not: { least: 1, most: 1, run: (value) => !isTrue(value) },
    isempty: { least: 1, most: 1, run: (value) => value === undefined || value === '' },
    isblank: { least: 1, most: 1, run: (value) => value === undefined || toText(value).trim() === '' },
    concat: { least: 1, most: 50, run: (...values) => values.map(toText).join('') },
    ltrim: text((value) => value.trimStart()),
    rtrim: text((value) => value.trimEnd()),
    trim: text((value) => value.trim()),
    strlen: text((value) => value.length),
    toupper: text((value) => value.toUpperCase()),
    tolower: text((value) => value.toLowerCase()),
    strcontains: text((value, part) => (value.includes(toText(part)) ? 1 : 0), 2),
    substr: text((value, from, length) => value.slice(toNumber(from) ?? 0).slice(0, toNumber(length) ?? undefined), 2, 3),
    replace: text((value, from, to) => (toText(from) === '' ? value : value.split(toText(from)).join(toText(to)).slice(0, MOST_CHARS)), 3),
  } satisfies Record<string, Fn>),
);

/** A text that functions make has no more than an event may have. */
const MOST_CHARS = 256 * 1024;

function orUndefined<T>(value: T | undefined, of: (value: T) => Value): Value {
  return value === undefined ? undefined : of(value);
}
