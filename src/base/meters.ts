/**
 * What this process itself did since it began, counted in memory: for those who watch it, nothing acts on it. Of a family whose labels come to be too many
 * the rest is one series whose labels are all `other`.
 */
import { limits } from './limits.ts';

type Labels = readonly string[];
/** `values`: of a counter one; of a histogram how many there were up to each bound, without the lower ones, then beyond all, then their sum. */
export type MeterFamily = {
  name: string;
  help: string;
  labels: Labels;
  /** Of a histogram, in seconds; absent: a counter. */
  bounds?: readonly number[];
  series: { labels: Labels; values: number[] }[];
};

export type Meters = {
  /** `name` without `_total`. */
  counter(name: string, help: string, labels: Labels): (of: Labels, by?: number) => void;
  /** `name` ends in `_seconds`. */
  histogram(name: string, help: string, labels: Labels, bounds: readonly number[]): (of: Labels, seconds: number) => void;
  read(): MeterFamily[];
};

type Family = Omit<MeterFamily, 'series'> & { series: Map<string, { labels: Labels; values: number[] }> };

export function createMeters(): Meters {
  const families: Family[] = [];
  const open = (family: Omit<MeterFamily, 'series'>, size: number) => {
    const made: Family = { ...family, series: new Map() };
    families.push(made);
    return (of: Labels): number[] => {
      const known = made.series.get(of.join('\n'));
      if (known !== undefined) return known.values;
      const labels = made.series.size < limits.meterSeries ? of : of.map(() => 'other');
      const entry = made.series.get(labels.join('\n')) ?? { labels, values: Array.from({ length: size }, () => 0) };
      made.series.set(labels.join('\n'), entry);
      return entry.values;
    };
  };
  return {
    counter(name, help, labels) {
      const find = open({ name, help, labels }, 1);
      return (of, by = 1) => {
        const values = find(of);
        values[0] = (values[0] ?? 0) + by;
      };
    },
    histogram(name, help, labels, bounds) {
      const find = open({ name, help, labels, bounds }, bounds.length + 2);
      return (of, seconds) => {
        const values = find(of);
        const index = bounds.findIndex((bound) => seconds <= bound);
        const at = index < 0 ? bounds.length : index;
        values[at] = (values[at] ?? 0) + 1;
        values[bounds.length + 1] = (values[bounds.length + 1] ?? 0) + seconds;
      };
    },
    read: () => families.map(({ series, ...family }) => ({ ...family, series: [...series.values()] })),
  };
}

/** Seconds since it was called, by a clock that never goes back. */
export function stopwatch(): () => number {
  const began = performance.now();
  return () => (performance.now() - began) / 1000;
}
