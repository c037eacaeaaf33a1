/** GetMetricStatistics: one metric, several statistics, by unit as it was put. */
import type { Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput } from '@aws-sdk/client-cloudwatch';
import type { Handler } from '#gateway/types.ts';
import { statistic } from '#metrics/index.ts';
import { invalidCombination, invalidValue, missing } from './errors.ts';
import { checkDimensions, checkName, checkNamespace, checkPeriod, checkStatistic, checkTimes } from './input.ts';
import type { CloudWatchDeps } from './types.ts';
import { units } from './units.ts';

const MOST_POINTS = 1440;
const PLAIN = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] as const;

export function getMetricStatistics({ metrics }: CloudWatchDeps): Handler<GetMetricStatisticsInput, GetMetricStatisticsOutput> {
  return {
    name: 'GetMetricStatistics',
    async handle(input, scope) {
      const [namespace, name] = [checkNamespace(input.Namespace), checkName(input.MetricName, 'MetricName')];
      const dimensions = checkDimensions(input.Dimensions);
      const { start, end } = checkTimes(input.StartTime, input.EndTime);
      const periodS = checkPeriod(input.Period);
      const wanted = wantedOf(input);
      if ((end - start) / (periodS * 1000) > MOST_POINTS) {
        throw invalidCombination(
          `You have requested up to ${Math.ceil((end - start) / (periodS * 1000))} datapoints, which exceeds the limit of ${MOST_POINTS}. You may reduce the datapoints requested by increasing Period, or decreasing the time range.`,
        );
      }
      const { Unit: unit } = input;
      if (unit !== undefined && !units.has(unit))
        throw invalidValue(`The value ${String(unit).slice(0, 50)} for parameter Unit is invalid.`);
      const found = metrics.find(scope, { namespace, name, dimensions, ...(unit === undefined ? {} : { unit }) });
      const points = found.flatMap((series) =>
        metrics.read([series.id], { start, end, periodS }).map(({ at, values }): Datapoint => {
          const told = (all: string[]) =>
            all.flatMap((one): [string, number][] => {
              const value = statistic(values, one);
              return value === undefined ? [] : [[one, value]];
            });
          const extended = told(wanted.extended);
          return {
            Timestamp: new Date(at),
            ...Object.fromEntries(told(wanted.plain)),
            ...(extended.length === 0 ? {} : { ExtendedStatistics: Object.fromEntries(extended) }),
            Unit: series.unit as Datapoint['Unit'],
          };
        }),
      );
      return { Label: name, Datapoints: points };
    },
  };
}

function wantedOf({ Statistics = [], ExtendedStatistics = [] }: GetMetricStatisticsInput): { plain: string[]; extended: string[] } {
  if (Statistics.length === 0 && ExtendedStatistics.length === 0) {
    throw missing('At least one of the parameters Statistics or ExtendedStatistics must be specified.');
  }
  const strange = Statistics.find((one) => !PLAIN.includes(one));
  if (strange !== undefined)
    throw invalidValue(`The value ${String(strange).slice(0, 50)} for parameter Statistics is invalid: it takes ${PLAIN.join(', ')}.`);
  return { plain: Statistics, extended: ExtendedStatistics.map((one) => checkStatistic(one, 'ExtendedStatistics')) };
}
