/** Statistics of a set of values. Source: CloudWatch user guide, "Statistics definitions". */
import type { StatisticSet } from './types.ts';

/** Neighbouring bins are 5 % apart, so that a percentile is at most 2.5 % away from the value that was put. */
const BASE = Math.log(1.05);
/** Zero has no logarithm. */
const ZERO_BIN = -100_000;

function binOf(value: number): number {
  return value === 0 ? ZERO_BIN : Math.round(Math.log(value) / BASE);
}

/** How often each value was seen -> their statistic set. Without bins where one is negative: CloudWatch has no percentiles then. */
export function statisticSet(seen: Iterable<readonly [value: number, count: number]>): StatisticSet {
  let [count, sum, min, max] = [0, 0, Infinity, -Infinity];
  const bins = new Map<number, number>();
  for (const [value, times] of seen) {
    count += times;
    sum += value * times;
    min = Math.min(min, value);
    max = Math.max(max, value);
    if (value >= 0) bins.set(binOf(value), (bins.get(binOf(value)) ?? 0) + times);
  }
  return min < 0 || min === max ? { count, sum, min, max } : { count, sum, min, max, bins };
}

/** Both together; bins only where both have them, or are of one value. */
export function together(a: StatisticSet | undefined, b: StatisticSet): StatisticSet {
  if (a === undefined) return b;
  const { count, sum, min, max } = {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
  };
  if (min === max) return { count, sum, min, max };
  const [ofA, ofB] = [binsOf(a), binsOf(b)];
  return ofA === undefined || ofB === undefined ? { count, sum, min, max } : { count, sum, min, max, bins: mergedBins(ofA, ofB) };
}

function mergedBins(a: Map<number, number>, b: Map<number, number>): Map<number, number> {
  const merged = new Map(a);
  for (const [bin, count] of b) merged.set(bin, (merged.get(bin) ?? 0) + count);
  return merged;
}

function binsOf(set: StatisticSet): Map<number, number> | undefined {
  return set.bins ?? (set.min === set.max && set.min >= 0 ? new Map([[binOf(set.min), set.count]]) : undefined);
}

/** `p0` to `p100`, with fractions. */
const PERCENTILE = /^p(\d{1,2}(?:\.\d{1,10})?|100)$/;

/** Whether this is a statistic that is told here. */
export function isStatistic(name: string): boolean {
  return ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum'].includes(name) || PERCENTILE.test(name);
}

/** The statistic's value; undefined for a percentile of values that were put as statistic sets, or of negative ones (user guide, "Percentiles"). */
export function statistic(set: StatisticSet, name: string): number | undefined {
  switch (name) {
    case 'SampleCount':
      return set.count;
    case 'Sum':
      return set.sum;
    case 'Average':
      return set.sum / set.count;
    case 'Minimum':
      return set.min;
    case 'Maximum':
      return set.max;
    default:
      return percentile(set, Number(PERCENTILE.exec(name)?.[1]));
  }
}

function percentile(set: StatisticSet, percent: number): number | undefined {
  const bins = binsOf(set);
  if (bins === undefined) return undefined;
  if (percent === 0) return set.min;
  if (percent === 100) return set.max;
  const wanted = (set.count * percent) / 100;
  let seen = 0;
  for (const [bin, count] of [...bins].sort(([a], [b]) => a - b)) {
    seen += count;
    if (seen >= wanted) return Math.min(set.max, Math.max(set.min, bin === ZERO_BIN ? 0 : Math.exp(bin * BASE)));
  }
  return set.max;
}
