import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate, idsOf } from './expression.ts';
import type { Names, TimeSeries, Value } from './expression.ts';

const series = (...values: (number | null)[]): TimeSeries => ({
  label: '',
  periodS: 60,
  values: new Map(values.flatMap((value, index): [number, number][] => (value === null ? [] : [[index * 60_000, value]]))),
});
const known: Record<string, TimeSeries> = {
  m1: { ...series(1, 2, 3, null), label: 'requests' },
  m2: { ...series(10, null, 30, 40), label: 'errors' },
  zero: series(0, 0, 0, 0),
};
const names: Names = {
  lookup: (id) => known[id],
  metrics: (text) => Object.values(known).filter(({ label }) => label !== '' && label.includes(text)),
  search: (text, statistic, periodS) => [{ ...series(5), label: `${text} ${statistic} ${periodS}` }],
  times: [0, 60_000, 120_000, 180_000],
  periodS: 60,
};
/** By minute, null where there is none. */
const shown = (value: Value): unknown => {
  if (Array.isArray(value)) return value.map(shown);
  return typeof value === 'object' ? names.times.map((at) => value.values.get(at) ?? null) : value;
};

describe('metric math', () => {
  const cases: [text: string, result: unknown][] = [
    ['1 + 2 * 3 ^ 2', 19],
    ['-(2 - 5) / 2', 1.5],
    ['2 ^ 3 ^ 2', 512],
    ['m1 + m2', [11, null, 33, null]],
    ['100 * (m1 / m2)', [10, null, 10, null]],
    ['m1 / zero', [null, null, null, null]],
    ['m1 > 1 && m1 < 3', [0, 1, 0, null]],
    ['m1 > 2 OR m1 == 1', [1, 0, 1, null]],
    ['SUM(m1)', 6],
    ['AVG(m1)', 2],
    ['SUM([m1, m2])', [11, 2, 33, 40]],
    ['MAX(METRICS())', [10, 2, 30, 40]],
    ['SUM(METRICS("err"))', [10, null, 30, 40]],
    ['FILL(m1, 0)', [1, 2, 3, 0]],
    ['FILL(m2, LINEAR)', [10, 20, 30, 40]],
    ['FILL(m2, REPEAT)', [10, 10, 30, 40]],
    ['FILL(m1, m2)', [1, 2, 3, 40]],
    ['IF(m1 > 1, m1, 0)', [0, 2, 3, null]],
    ['IF(m1 > 1, m1)', [null, 2, 3, null]],
    ['RATE(m1)', [null, 1 / 60, 1 / 60, null]],
    ['DIFF(m2)', [null, null, 20, 10]],
    ['RUNNING_SUM(m1)', [1, 3, 6, null]],
    ['PERIOD(m1)', 60],
    ['TIME_SERIES(7)', [7, 7, 7, 7]],
    ['CEIL(m1 / 2)', [1, 1, 2, null]],
    ['METRIC_COUNT([m1, m2])', 2],
    ['DATAPOINT_COUNT(m2)', 3],
    ['MINUTE(m2)', [0, null, 2, 3]],
    ['DAY(m1)', [4, 4, 4, null]],
    [
      '[HOUR(m1), DATE(m1), MONTH(m1), YEAR(m1)]',
      [
        [0, 0, 0, null],
        [1, 1, 1, null],
        [1, 1, 1, null],
        [1970, 1970, 1970, null],
      ],
    ],
    ['EPOCH(m1)', [0, 60, 120, null]],
    ['IF(MINUTE(m1) > 0, m1, 0)', [0, 2, 3, null]],
    [
      'SORT([m1, m2, zero], MAX, DESC)',
      [
        [10, null, 30, 40],
        [1, 2, 3, null],
        [0, 0, 0, 0],
      ],
    ],
    [
      'SORT([m1, m2, zero], SUM, ASC, 2)',
      [
        [0, 0, 0, 0],
        [1, 2, 3, null],
      ],
    ],
    ['SLICE(SORT([m1, m2], AVG, DESC), 0)', [10, null, 30, 40]],
    [
      'SLICE([m1, m2, zero], 1, 3)',
      [
        [10, null, 30, 40],
        [0, 0, 0, 0],
      ],
    ],
    ['SLICE([m1], 5, 9)', []],
  ];
  for (const [text, result] of cases) it(text, () => assert.deepEqual(shown(evaluate(text, names)), result));

  it('says what is wrong', () => {
    const wrong: [string, RegExp][] = [
      ['m1 +', /it ends too early/],
      ['m1 m2', /'m2' is not expected/],
      ['m1 ? 2', /'\? 2' is not part of metric math/],
      ['m9 + 1', /reads 'm9', which is no Id/],
      ['ANOMALY_DETECTION_BAND(m1)', /berth does not implement metric math's ANOMALY_DETECTION_BAND yet/],
      ['SEARCH("x")', /SEARCH takes what to look for/],
      ['FILL(m1)', /FILL needs/],
      ['SORT([m1], P50, DESC)', /reads 'P50', which is no Id/],
      ['SORT([m1], MAX)', /SORT takes series/],
      ['SLICE([m1], 1)', /no series to choose/],
      ['SLICE([m1], MAX)', /SLICE takes series/],
      ['SUM + 1', /A text can't stand/],
      [`${'('.repeat(200)}1${')'.repeat(200)}`, /nested more than/],
      [`${'-'.repeat(200)}1`, /nested more than/],
    ];
    for (const [text, message] of wrong) assert.throws(() => evaluate(text, names), { message });
  });

  it('is refused in a few words, however long what is wrong with it', () => {
    const long = 'x'.repeat(70_000);
    for (const text of [
      long,
      `${long}(m1)`,
      `ABS('${long}')`,
      `SUM('${long}')`,
      `SORT('${long}', SUM, ASC)`,
      `m1 + '${long}'`,
      `m1 ${long}`,
    ]) {
      assert.throws(
        () => evaluate(text, names),
        ({ message }: Error) => message.length < 500,
      );
    }
  });

  it('names what it reads', () => assert.deepEqual(idsOf('IF(m1 > 0, [e1, m2], FILL(m3, 0))'), ['m1', 'e1', 'm2', 'm3']));
});
