import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { virtualClock } from '#base/clock.ts';
import { addTo, at, decodeColumns, emptyColumns, encodeColumns } from './columns.ts';
import { openMetrics, statistic, statisticSet, together } from './index.ts';
import type { Metrics, SeriesIdentity, StatisticSet } from './types.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-metrics-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const START = 20_000 * DAY;
const scope = { account: '123456789012', region: 'us-east-1' };
const cpu: SeriesIdentity = {
  ...scope,
  namespace: 'AWS/ECS',
  name: 'CPUUtilization',
  dimensions: { ClusterName: 'c', ServiceName: 's' },
  unit: 'Percent',
};

let serial = 0;
const newPath = () => join(folder, `${serial++}.db`);
const one = (value: number): StatisticSet => statisticSet([[value, 1]]);
const idOf = (metrics: Metrics, series = cpu) => metrics.find(scope, series)[0]?.id ?? -1;

describe('columns', () => {
  const value = fc.oneof(
    fc.integer({ min: -1e9, max: 1e9 }),
    fc.integer({ min: -1e6, max: 1e6 }).map((n) => n / 1000),
    fc.constant(0),
  );
  const set = fc.array(fc.tuple(value, fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 5 }).map(statisticSet);
  const slots = fc.array(fc.option(set, { nil: undefined }), { minLength: 1, maxLength: 60 });

  it('come back as they were, but for noise past 8 digits', () => {
    fc.assert(
      fc.property(slots, (wanted) => {
        const columns = emptyColumns(60);
        for (const [slot, values] of wanted.entries()) if (values !== undefined) addTo(columns, slot, values);
        const back = decodeColumns(encodeColumns(columns), 60);
        for (let slot = 0; slot < 60; slot++) {
          const [had, has] = [at(columns, slot), at(back, slot)];
          assert.equal(has?.count, had?.count);
          assert.deepEqual(has?.bins, had?.bins);
          for (const name of ['sum', 'min', 'max'] as const) {
            const [a = 0, b = 0] = [had?.[name], has?.[name]];
            assert.ok(Math.abs(a - b) <= Math.abs(a) * 2e-9, `${name} ${a} came back as ${b}`);
          }
        }
      }),
    );
  });

  it('keep eight digits of any double', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -(2 ** 360), max: 2 ** 360 }), (wanted) => {
        const columns = emptyColumns(1);
        addTo(columns, 0, { count: 1, sum: wanted, min: wanted, max: wanted });
        const got = at(decodeColumns(encodeColumns(columns), 1), 0)?.sum ?? NaN;
        assert.ok(Math.abs(got - wanted) <= Math.abs(wanted) * 2e-9 + Number.MIN_VALUE * 2 ** 30, `${wanted} came back as ${got}`);
      }),
    );
  });
});

describe('statistics', () => {
  it('of sets put together are those of all values, percentiles within 2.5 %', () => {
    const values = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(values, fc.nat(), (all, cut) => {
        const [a, b] = [all.slice(0, cut % all.length), all.slice(cut % all.length)];
        const sets = [a, b].filter((part) => part.length > 0).map((part) => statisticSet(part.map((value) => [value, 1] as const)));
        const whole = sets.reduce((sum: StatisticSet | undefined, set) => together(sum, set), undefined) as StatisticSet;
        assert.equal(
          statistic(whole, 'Sum'),
          all.reduce((sum, next) => sum + next, 0),
        );
        assert.equal(statistic(whole, 'Maximum'), Math.max(...all));
        const sorted = all.toSorted((x, y) => x - y);
        const wanted = sorted[Math.ceil(sorted.length * 0.9) - 1] ?? 0;
        const got = statistic(whole, 'p90') ?? NaN;
        assert.ok(Math.abs(got - wanted) <= wanted * 0.026, `p90 ${got} of ${wanted}`);
      }),
    );
  });

  it('have no percentile of negative values and of sets without values', () => {
    assert.equal(
      statistic(
        statisticSet([
          [-1, 1],
          [2, 1],
        ]),
        'p50',
      ),
      undefined,
    );
    assert.equal(statistic({ count: 2, sum: 3, min: 1, max: 2 }, 'p50'), undefined);
    assert.equal(statistic({ count: 2, sum: 4, min: 2, max: 2 }, 'p50'), 2);
  });
});

describe('metrics', () => {
  it('are told by period, of several series together', async () => {
    const metrics = openMetrics({ clock: virtualClock(START + DAY) }, { path: newPath() });
    const other = { ...cpu, unit: 'None' };
    await metrics.put([
      { series: cpu, at: START + 5, values: one(10) },
      { series: cpu, at: START + MINUTE, values: one(30) },
      { series: other, at: START + MINUTE, values: one(50) },
      { series: cpu, at: START + 5 * MINUTE, values: one(1) },
    ]);
    const both = metrics.find(scope, { namespace: cpu.namespace, name: cpu.name, dimensions: { ServiceName: 's', ClusterName: 'c' } });
    assert.equal(both.length, 2);
    const span = { start: START, end: START + 10 * MINUTE, periodS: 300 };
    const told = metrics
      .read(
        both.map(({ id }) => id),
        span,
      )
      .map(({ at: time, values }) => [(time - START) / MINUTE, values.count, values.sum, values.max]);
    assert.deepEqual(told, [
      [0, 3, 90, 50],
      [5, 1, 1, 1],
    ]);
    assert.deepEqual(metrics.list({ ...scope, dimensions: { ClusterName: null, Other: null } }), []);
    assert.equal(metrics.list({ ...scope, namespace: 'AWS/ECS', dimensions: { ClusterName: 'c' } }).length, 2);
    assert.deepEqual(metrics.find({ ...scope, region: 'eu-west-1' }, cpu), []);
    await metrics.close();
  });

  it('come back after a crash, each batch once, whatever was written meanwhile', async () => {
    const path = newPath();
    const clock = virtualClock(START + 2 * DAY);
    const minutes = Array.from({ length: 200 }, (_, minute) => minute);
    const crashed = openMetrics({ clock }, { path });
    const put = (metrics: Metrics, minute: number) => metrics.put([{ series: cpu, at: START + minute * MINUTE, values: one(minute) }]);
    for (const minute of minutes.slice(0, 100)) await put(crashed, minute);
    await crashed.tidy();
    for (const minute of minutes.slice(50)) await put(crashed, minute);
    // Never closed: what it has in memory alone is lost.
    const metrics = openMetrics({ clock }, { path });
    const told = metrics.read([idOf(metrics)], { start: START, end: START + DAY, periodS: 60 });
    assert.deepEqual(
      told.map(({ values }) => values.count),
      minutes.map((minute) => (minute >= 50 && minute < 100 ? 2 : 1)),
    );
    await metrics.close();
  });

  it('come back once where batches came while the blocks were written', async () => {
    const path = newPath();
    const clock = virtualClock(START + DAY);
    const crashed = openMetrics({ clock }, { path });
    // More series than are written at once, and two samples of one call for one block.
    const all = Array.from({ length: 450 }, (_, n) => ({ ...cpu, dimensions: { N: String(n) } }));
    const putAll = () =>
      crashed.put(all.flatMap((series) => [START, START + MINUTE].map((time) => ({ series, at: time, values: one(1) }))));
    await putAll();
    const tidying = crashed.tidy();
    for (let more = 0; more < 5; more++) await putAll();
    await tidying;
    await putAll();
    const metrics = openMetrics({ clock }, { path });
    const counts = all.map((series) => metrics.read([idOf(metrics, series)], { start: START, end: START + DAY, periodS: 60 }).map(({ values }) => values.count)); // prettier-ignore
    assert.deepEqual(counts, all.map(() => [7, 7])); // prettier-ignore
    await metrics.close();
  });

  it('keep days joined, take late samples, and roll up', async () => {
    const path = newPath();
    const clock = virtualClock(START);
    let metrics = openMetrics({ clock }, { path });
    for (let hour = 0; hour < 24; hour++) await metrics.put([{ series: cpu, at: START + hour * 60 * MINUTE, values: one(hour) }]);
    await clock.advance(DAY + 2 * 60 * MINUTE);
    await metrics.tidy();
    await metrics.put([{ series: cpu, at: START + 30 * MINUTE, values: one(100) }]);
    await metrics.tidy();
    await metrics.close();
    metrics = openMetrics({ clock }, { path });
    const counts = (periodS: number) =>
      metrics.read([idOf(metrics)], { start: START, end: START + DAY, periodS }).map(({ values }) => [values.count, values.max]);
    const hours = Array.from({ length: 24 }, (_, hour) => [hour === 0 ? 2 : 1, hour === 0 ? 100 : hour]);
    assert.equal(counts(60).length, 25);
    assert.deepEqual(counts(3600), hours);
    await clock.advance(20 * DAY);
    await metrics.tidy();
    assert.deepEqual(counts(60), []);
    assert.equal(counts(300).length, 25);
    assert.deepEqual(counts(3600), hours);
    await clock.advance(60 * DAY);
    await metrics.tidy();
    assert.deepEqual(counts(300), []);
    assert.deepEqual(counts(3600), hours);
    await clock.advance(400 * DAY);
    await metrics.tidy();
    assert.deepEqual(metrics.list(scope), []);
    await metrics.close();
    // The file has given back what nothing is in.
    assert.ok(statSync(path).size < 64 * 1024, `${statSync(path).size} bytes`);
  });
});
