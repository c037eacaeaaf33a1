/** Percentiles of times over the last minutes, in bounded memory: counts by size, in buckets that grow by a tenth, one set for each of the last minutes. */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';

export type LatencyMs = { count: number; p50: number; p90: number; p99: number };

const GROWTH = Math.log(1.1);
/** 1.1^190 ms are about 20 hours. */
const BUCKETS = 190;
const MINUTE_MS = 60_000;

export type Latencies = {
  note(key: string, ms: number): void;
  /** undefined: nothing was noted in the last minutes. Each within a tenth of what it was. */
  of(key: string): LatencyMs | undefined;
  /** Forgets all but these. */
  keep(keys: ReadonlySet<string>): void;
};

type Minute = { at: number; counts: Uint32Array };

export function createLatencies(clock: Clock): Latencies {
  const all = new Map<string, Minute[]>();
  const now = () => Math.floor(clock.now() / MINUTE_MS);
  return {
    note(key, ms) {
      const minutes = all.get(key) ?? Array.from({ length: limits.latencyMinutes }, () => ({ at: -1, counts: new Uint32Array(BUCKETS) }));
      all.set(key, minutes);
      const minute = minutes[now() % limits.latencyMinutes];
      if (minute === undefined) return;
      if (minute.at !== now()) {
        minute.at = now();
        minute.counts.fill(0);
      }
      const bucket = bucketOf(ms);
      minute.counts[bucket] = (minute.counts[bucket] ?? 0) + 1;
    },
    of(key) {
      const since = now() - limits.latencyMinutes;
      const minutes = (all.get(key) ?? []).filter(({ at }) => at > since);
      const sums = Array.from({ length: BUCKETS }, (_, bucket) => minutes.reduce((sum, { counts }) => sum + (counts[bucket] ?? 0), 0));
      const count = sums.reduce((sum, one) => sum + one, 0);
      if (count === 0) return undefined;
      return { count, p50: percentile(sums, count, 0.5), p90: percentile(sums, count, 0.9), p99: percentile(sums, count, 0.99) };
    },
    keep(keys) {
      for (const key of all.keys()) if (!keys.has(key)) all.delete(key);
    },
  };
}

const bucketOf = (ms: number): number => Math.min(BUCKETS - 1, ms < 1 ? 0 : 1 + Math.floor(Math.log(ms) / GROWTH));

/** The middle of the bucket in which the nearest rank lies. */
function percentile(sums: readonly number[], count: number, share: number): number {
  let left = Math.ceil(count * share);
  const bucket = sums.findIndex((sum) => (left -= sum) <= 0);
  return bucket <= 0 ? 0 : Math.round(Math.exp((bucket - 0.5) * GROWTH));
}
