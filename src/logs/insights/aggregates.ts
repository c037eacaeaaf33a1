/** Aggregate functions of `stats`: what each makes of the values that it is shown. Percentiles are those of a sample once there are many, as AWS's are approximate. */
import { compareValues, toNumber, toText, type Value } from './values.ts';

export type Accumulator = { add(value: Value, at: number): void; result(): Value };

/** Told of the bytes that an accumulator takes; throws where they are too many. */
export type Spend = (bytes: number) => void;

const SAMPLE = 1000;
const SEED = 12345;

const sums = (): { add(value: Value): void; count: number; sum: number; squares: number } => ({
  count: 0,
  sum: 0,
  squares: 0,
  add(value) {
    const number = toNumber(value);
    if (number === undefined) return;
    this.count++;
    this.sum += number;
    this.squares += number * number;
  },
});

function ofSums(result: (all: ReturnType<typeof sums>) => number | undefined) {
  return (): Accumulator => {
    const all = sums();
    return { add: (value) => all.add(value), result: () => (all.count === 0 ? undefined : result(all)) };
  };
}

/** Keeps one of the values: the new one where `isBetter` says so. */
function best(isBetter: (value: Value, at: number, kept: Value, keptAt: number) => boolean) {
  return (): Accumulator => {
    let kept: Value;
    let keptAt = 0;
    return {
      add(value, at) {
        if (value !== undefined && (kept === undefined || isBetter(value, at, kept, keptAt))) [kept, keptAt] = [value, at];
      },
      result: () => kept,
    };
  };
}

function distinct(_: number | undefined, spend: Spend): Accumulator {
  const seen = new Set<string>();
  return {
    add(value) {
      if (value === undefined || seen.has(toText(value))) return;
      seen.add(toText(value));
      spend(toText(value).length + 60);
    },
    result: () => seen.size,
  };
}

function percentile(wanted: number | undefined, spend: Spend): Accumulator {
  const sample: number[] = [];
  let count = 0;
  let random = SEED;
  return {
    add(value) {
      const number = toNumber(value);
      if (number === undefined) return;
      count++;
      if (sample.length < SAMPLE) {
        sample.push(number);
        spend(8);
        return;
      }
      // Each value is as likely to be in the sample as any other (Vitter's algorithm R); the same query tells the same twice.
      random = (random * 1103515245 + 12345) % 2 ** 31;
      const place = Math.floor((random / 2 ** 31) * count);
      if (place < SAMPLE) sample[place] = number;
    },
    result() {
      const sorted = sample.toSorted((a, b) => a - b);
      return sorted[Math.max(0, Math.ceil(((wanted ?? 50) / 100) * sorted.length) - 1)];
    },
  };
}

function counting(): Accumulator {
  let count = 0;
  return { add: (value) => void (count += Number(value !== undefined)), result: () => count };
}

export const aggregates: ReadonlyMap<string, (parameter: number | undefined, spend: Spend) => Accumulator> = new Map(
  Object.entries({
    count: counting,
    count_distinct: distinct,
    sum: ofSums(({ sum }) => sum),
    avg: ofSums(({ sum, count }) => sum / count),
    stddev: ofSums(({ sum, count, squares }) => Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2))),
    min: best((value, _at, kept) => compareValues(value, kept) < 0),
    max: best((value, _at, kept) => compareValues(value, kept) > 0),
    earliest: best((_value, at, _kept, keptAt) => at < keptAt),
    latest: best((_value, at, _kept, keptAt) => at >= keptAt),
    sortsfirst: best((value, _at, kept) => compareValues(value, kept) < 0),
    sortslast: best((value, _at, kept) => compareValues(value, kept) > 0),
    pct: percentile,
    median: (_: number | undefined, spend: Spend) => percentile(50, spend),
  }),
);
