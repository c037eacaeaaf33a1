/** GetMetricData: metrics and metric math in one call, in pages of points. Times without data have no point. */
import type { GetMetricDataInput, GetMetricDataOutput, MetricDataQuery, MetricDataResult } from '@aws-sdk/client-cloudwatch';
import type { Scope } from '#domain/scope.ts';
import type { Operation } from '#gateway/types.ts';
import type { MetricQuery } from '#metrics/queries.ts';
import { runQueries } from '#metrics/queries.ts';
import { invalidCombination, invalidToken, invalidValue, missing } from './errors.ts';
import { checkDimensions, checkName, checkNamespace, checkPeriod, checkStatistic, checkTimes } from './input.ts';
import type { CloudWatchDeps } from './types.ts';
import { units } from './units.ts';

const MOST_QUERIES = 500;
const MOST_POINTS = 100_800;
const MOST_PERIODS = 180_000;

export function getMetricData({ metrics }: CloudWatchDeps): Operation<GetMetricDataInput, GetMetricDataOutput> {
  return {
    name: 'GetMetricData',
    action: 'cloudwatch:GetMetricData',
    resources: () => ['*'],
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
      return paged(results, most, skippedOf(input.NextToken));
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
  return { MetricDataResults: page, Messages: [], ...(cut ? { NextToken: Buffer.from(`d1:${told}`).toString('base64url') } : {}) };
}

function skippedOf(token: string | undefined): number {
  if (token === undefined) return 0;
  const [, told] = /^d1:(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  if (told === undefined) throw invalidToken();
  return Number(told);
}

/** Also of an alarm's Metrics. `member`: how the caller named the list. */
export function queriesOf(given: readonly MetricDataQuery[] | undefined, member = 'MetricDataQueries'): MetricQuery[] {
  if (given === undefined || given.length === 0) throw missing(`The parameter ${member} is required.`);
  if (given.length > MOST_QUERIES) throw invalidValue(`The collection ${member} must not have a size greater than ${MOST_QUERIES}.`);
  const ids = new Set<string>();
  return given.map((query, index) => {
    const at = `${member}.member.${index + 1}`;
    const id = query.Id ?? '';
    if (!/^[a-z][a-zA-Z0-9_]{0,254}$/.test(id)) {
      throw invalidValue(`The value ${id.slice(0, 50)} for parameter ${at}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.`);
    }
    if (ids.has(id)) throw invalidValue(`The values for parameter id in ${member} are not unique: ${id}.`);
    ids.add(id);
    return { id, label: query.Label, returned: query.ReturnData ?? true, ...sourceOf(query, at) };
  });
}

function sourceOf(
  { MetricStat, Expression, Period, AccountId }: MetricDataQuery,
  at: string,
): Omit<MetricQuery, 'id' | 'label' | 'returned'> {
  if (AccountId !== undefined && AccountId !== '') throw invalidValue(`berth has no metrics of other accounts (${at}.AccountId).`);
  if ((MetricStat === undefined) === (Expression === undefined)) {
    throw invalidCombination(`Exactly one of the parameters ${at}.MetricStat and ${at}.Expression must be specified.`);
  }
  if (MetricStat === undefined)
    return { expression: Expression ?? '', periodS: Period === undefined ? undefined : checkPeriod(Period, `${at}.Period`) };
  const { Metric, Stat, Unit } = MetricStat;
  if (Unit !== undefined && !units.has(Unit))
    throw invalidValue(`The value ${String(Unit).slice(0, 50)} for parameter ${at}.MetricStat.Unit is invalid.`);
  return {
    periodS: checkPeriod(MetricStat.Period, `${at}.MetricStat.Period`),
    metric: {
      namespace: checkNamespace(Metric?.Namespace),
      name: checkName(Metric?.MetricName, `${at}.MetricStat.Metric.MetricName`),
      dimensions: checkDimensions(Metric?.Dimensions, `${at}.MetricStat.Metric.Dimensions`),
      statistic: checkStatistic(Stat, `${at}.MetricStat.Stat`),
      ...(Unit === undefined ? {} : { unit: Unit }),
    },
  };
}
