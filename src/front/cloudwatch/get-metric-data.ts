/** GetMetricData: metrics and metric math in one call, in pages of points. Times without data have no point. */
import type { GetMetricDataInput, GetMetricDataOutput, MetricDataResult } from '@aws-sdk/client-cloudwatch';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import { runQueries } from '#metrics/queries.ts';
import { invalidValue } from './errors.ts';
import { checkTimes } from './input.ts';
import { queriesOf } from './queries.ts';
import { decodeToken, encodeToken } from './tokens.ts';
import type { CloudWatchDeps } from './types.ts';

const MOST_POINTS = 100_800;
const MOST_PERIODS = 180_000;

export function getMetricData({ metrics }: CloudWatchDeps): Handler<GetMetricDataInput, GetMetricDataOutput> {
  return {
    name: 'GetMetricData',
    async handle(input, scope: Scope) {
      const { start, end } = checkTimes(input.StartTime, input.EndTime);
      const queries = queriesOf(input.MetricDataQueries);
      const most = input.MaxDatapoints ?? MOST_POINTS;
      if (!(most >= 1 && most <= MOST_POINTS))
        throw invalidValue(`The parameter MaxDatapoints must be from 1 to ${MOST_POINTS}; it is ${most}.`);
      const shortest = Math.min(...queries.map(({ periodS }) => periodS ?? Infinity));
      if ((end - start) / (shortest * 1000) > MOST_PERIODS) {
        throw invalidValue(`The time range has more than ${MOST_PERIODS} periods of ${shortest} seconds; ask for longer periods.`);
      }
      const ascending = input.ScanBy === 'TimestampAscending';
      const results = runQueries(metrics, scope, queries, { start, end }).map(({ id, label, values }): MetricDataResult => {
        const points = [...values].sort(([a], [b]) => (ascending ? a - b : b - a));
        return {
          Id: id,
          Label: label,
          Timestamps: points.map(([at]) => new Date(at)),
          Values: points.map(([, value]) => value),
          StatusCode: 'Complete',
        };
      });
      return paged(results, most, decodeToken('points', input.NextToken));
    },
  };
}

/** Points are counted over all results, in their order; a token says how many were told. */
function paged(results: MetricDataResult[], most: number, skipped: number): GetMetricDataOutput {
  let [skip, left, told] = [skipped, most, skipped];
  let cut = false;
  const page = results.map((result): MetricDataResult => {
    const size = result.Values?.length ?? 0;
    const from = Math.min(size, skip);
    const to = Math.min(size, from + left);
    skip -= from;
    left -= to - from;
    told += to - from;
    cut ||= to < size;
    const slice = <T>(all: T[] | undefined) => all?.slice(from, to) ?? [];
    return {
      ...result,
      Timestamps: slice(result.Timestamps),
      Values: slice(result.Values),
      StatusCode: to < size ? 'PartialData' : 'Complete',
    };
  });
  return { MetricDataResults: page, Messages: [], ...(cut ? { NextToken: encodeToken('points', told) } : {}) };
}
