/** MetricDataQueries of a call, or Metrics of an alarm, checked. */
import type { MetricDataQuery } from '@aws-sdk/client-cloudwatch';
import type { MetricQuery } from '#domain/metric-query.ts';
import { invalidCombination, invalidValue, missing } from './errors.ts';
import { checkDimensions, checkName, checkNamespace, checkPeriod, checkStatistic } from './input.ts';
import { units } from './units.ts';

const MOST_QUERIES = 500;

/** `member`: how the caller named the list. */
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
