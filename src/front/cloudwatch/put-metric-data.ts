/** PutMetricData: all of a call, or nothing. A sample without a time counts for now. */
import type { MetricDatum, PutMetricDataInput } from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import { statisticSet } from '#metrics/index.ts';
import type { Sample, StatisticSet } from '#metrics/types.ts';
import { invalidCombination, invalidValue, missing } from './errors.ts';
import { checkDimensions, checkName, checkNamespace } from './input.ts';
import type { CloudWatchDeps } from './types.ts';
import { units } from './units.ts';

const MOST_DATA = 1000;
const MOST_VALUES = 150;
/** The range of values is -2^360 to 2^360. */
const LARGEST = 2 ** 360;

export function putMetricData({ metrics, clock }: CloudWatchDeps): Handler<PutMetricDataInput> {
  return {
    name: 'PutMetricData',
    async handle(input, { account, region }) {
      const namespace = checkNamespace(input.Namespace);
      if (namespace.startsWith('AWS/')) throw invalidValue('The value AWS/ for parameter Namespace is invalid.');
      if (input.EntityMetricData !== undefined)
        throw new Fault('Unsupported', 'berth does not keep entities of metrics yet (EntityMetricData).');
      const data = input.MetricData ?? [];
      if (data.length === 0) throw missing('The parameter MetricData is required.');
      if (data.length > MOST_DATA) throw invalidValue(`The collection MetricData must not have a size greater than ${MOST_DATA}.`);
      const samples = data.map((datum, index) =>
        sampleOf(datum, `MetricData.member.${index + 1}`, { account, region }, namespace, clock.now()),
      );
      await metrics.put(samples);
      return {};
    },
  };
}

function sampleOf(datum: MetricDatum, member: string, scope: Scope, namespace: string, now: number): Sample {
  const { Unit: unit = 'None', StorageResolution: resolution = 60 } = datum;
  if (!units.has(unit)) throw invalidValue(`The value ${String(unit).slice(0, 50)} for parameter ${member}.Unit is invalid.`);
  if (resolution !== 1 && resolution !== 60)
    throw invalidValue(`The parameter ${member}.StorageResolution must be 1 or 60; it is ${resolution}.`);
  const at = datum.Timestamp?.getTime() ?? now;
  if (!(at >= now - limits.metricPastMs && at <= now + limits.metricFutureMs)) {
    throw invalidValue(
      `The parameter ${member}.Timestamp must specify a time no more than two weeks in the past, and no more than two hours in the future.`,
    );
  }
  const name = checkName(datum.MetricName, `${member}.MetricName`);
  const dimensions = checkDimensions(datum.Dimensions, `${member}.Dimensions`);
  return { series: { ...scope, namespace, name, dimensions, unit }, at, values: valuesOf(datum, member) };
}

function valuesOf({ Value, Values, Counts, StatisticValues }: MetricDatum, member: string): StatisticSet {
  const given = [Value, Values, StatisticValues].filter((one) => one !== undefined).length;
  if (given === 0)
    throw missing(`At least one of the parameters ${member}.Value, ${member}.Values or ${member}.StatisticValues must be specified.`);
  if (given > 1) {
    throw invalidCombination(
      `The parameters ${member}.Value, ${member}.Values and ${member}.StatisticValues are mutually exclusive and you have specified more than one.`,
    );
  }
  const finite = (value: number | undefined, name: string): number => {
    if (value === undefined) throw missing(`The parameter ${member}.${name} is required.`);
    if (!(Math.abs(value) <= LARGEST)) throw invalidValue(`The value ${value} for parameter ${member}.${name} is invalid.`);
    return value;
  };
  if (StatisticValues !== undefined) {
    const { SampleCount, Sum, Minimum, Maximum } = StatisticValues;
    const [count, sum] = [finite(SampleCount, 'StatisticValues.SampleCount'), finite(Sum, 'StatisticValues.Sum')];
    const [min, max] = [finite(Minimum, 'StatisticValues.Minimum'), finite(Maximum, 'StatisticValues.Maximum')];
    if (count <= 0) throw invalidValue(`The parameter ${member}.StatisticValues.SampleCount must be greater than 0; it is ${count}.`);
    if (min > max) throw invalidCombination(`The parameter ${member}.StatisticValues.Minimum must not be greater than Maximum.`);
    return { count, sum, min, max };
  }
  const values = Values ?? [finite(Value, 'Value')];
  if (values.length > MOST_VALUES) throw invalidValue(`The collection ${member}.Values must not have a size greater than ${MOST_VALUES}.`);
  if (values.length === 0) throw missing(`The parameter ${member}.Values must not be empty.`);
  if (Counts !== undefined && Counts.length !== values.length) {
    throw invalidValue(`The parameters ${member}.Values and ${member}.Counts must be of the same size.`);
  }
  const seen = values.map((value, index): [number, number] => [finite(value, 'Values'), finite(Counts?.[index] ?? 1, 'Counts')]);
  if (seen.some(([, count]) => count <= 0)) throw invalidValue(`Every one of ${member}.Counts must be greater than 0.`);
  return statisticSet(seen);
}
