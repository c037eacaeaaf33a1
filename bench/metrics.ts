/**
 * 10,000 series with a statistic set (sum, count, minimum and maximum) for each minute of a day: what they take on disk once the day is over, and how long one of
 * them over that day takes to read. The store alone, without the API. Values are of three sorts, as what is measured here: percentages with four
 * decimals and pages of memory that wander, and times with all the digits that a double has, each minute others.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { virtualClock } from '#base/clock.ts';
import { seededRandom } from '#base/random.ts';
import { openMetrics } from '#metrics/index.ts';
import type { Sample, SeriesIdentity, StatisticSet } from '#metrics/types.ts';
import { median, report } from './promises.ts';

const SERIES = Number(process.env['BERTH_BENCH_SERIES'] ?? 10_000);
const MINUTES = 1440;
const MINUTE_MS = 60_000;
const DAY_MS = MINUTES * MINUTE_MS;
const START = 20_000 * DAY_MS;
const READS = 50;
const MEBIBYTE = 1024 * 1024;

export async function metricsBench(): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-bench-metrics-'));
  const clock = virtualClock(START);
  const path = join(dir, 'metrics.db');
  try {
    let metrics = openMetrics({ clock }, { path });
    const began = performance.now();
    for (let minute = 0; minute < MINUTES; minute++) {
      await clock.advance(MINUTE_MS);
      await metrics.put(Array.from({ length: SERIES }, (_, index) => sample(index, START + minute * MINUTE_MS)));
      if (minute % 10 === 9) await metrics.tidy();
    }
    const putUs = ((performance.now() - began) * 1000) / (SERIES * MINUTES);
    await clock.advance(2 * 60 * MINUTE_MS);
    await metrics.tidy();
    await metrics.close();
    // A new process has nothing in memory.
    metrics = openMetrics({ clock }, { path });
    const times = metrics
      .list(scope)
      .slice(0, READS)
      .map(({ id }) => {
        const before = performance.now();
        const points = metrics.read([id], { start: START, end: START + DAY_MS, periodS: 60 }).length;
        if (points !== MINUTES) throw new Error(`series ${id} has ${points} of ${MINUTES} minutes`);
        return performance.now() - before;
      });
    const disk = metrics.bytes() / MEBIBYTE;
    await metrics.close();
    const each = ((disk * MEBIBYTE) / (SERIES * MINUTES)).toFixed(1);
    const small = report('metrics-disk', disk, `${SERIES} series, ${each} bytes a minute; putting took ${putUs.toFixed(1)} us a sample`);
    return report('metrics-read', Math.max(...times), `slowest of ${times.length}, median ${median(times).toFixed(1)} ms`) && small;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const scope = { account: '123456789012', region: 'us-east-1' };
const random = seededRandom(1);

/** By series, where the two that wander are. */
const places = new Map<number, number>();

function sample(index: number, at: number): Sample {
  const kinds = [percentages, bytes, seconds] as const;
  const series: SeriesIdentity = {
    ...scope,
    namespace: 'Bench',
    name: `m${index % 20}`,
    dimensions: { Service: `s${index}` },
    unit: 'None',
  };
  const place = Math.max(0, (places.get(index) ?? 0.5) + (random.fraction() - 0.5) / 20);
  places.set(index, place);
  return { series, at, values: (kinds[index % 3] ?? bytes)(place) };
}

const decimals = (value: number) => Math.round(value * 1e4) / 1e4;
const percentages = (place: number): StatisticSet => between(decimals(place * 40), () => decimals(place * 40 + random.fraction() * 5));
const bytes = (place: number): StatisticSet =>
  between(4096 * Math.round(place * 50_000), (low) => low + 4096 * Math.round(random.fraction() * 1000));
const seconds = (): StatisticSet => between(random.fraction() / 100, (low) => low + random.fraction());

/** Of a few values between `min` and a maximum. */
function between(min: number, maximum: (min: number) => number): StatisticSet {
  const [max, count] = [maximum(min), 2 + Math.floor(random.fraction() * 30)];
  const rest = Array.from({ length: count - 2 }, () => min + (max - min) * 0.5);
  return { count, min, max, sum: min + max + rest.reduce((sum, value) => sum + value, 0) };
}
