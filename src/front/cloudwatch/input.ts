/** Checks that several operations share. Source: CloudWatch API reference (types Dimension, MetricDatum, Metric). */
import type { Dimension } from '@aws-sdk/client-cloudwatch';
import { isStatistic } from '#metrics/index.ts';
import type { Dimensions } from '#metrics/types.ts';
import { invalidCombination, invalidValue, missing } from './errors.ts';

const MOST_DIMENSIONS = 30;
const NAME_LENGTH = 255;
const DIMENSION_VALUE_LENGTH = 1024;

/** `member`: how the caller named it, for the error. */
export function checkName(value: string | undefined, member: string): string {
  if (value === undefined || value === '') throw missing(`The parameter ${member} is required.`);
  if (value.length > NAME_LENGTH)
    throw invalidValue(`The value ${value.slice(0, 50)}... for parameter ${member} is longer than ${NAME_LENGTH} characters.`);
  if (/[^\x20-\x7e]/.test(value)) throw invalidValue(`The parameter ${member} must contain only ASCII characters that can be printed.`);
  return value;
}

export function checkNamespace(value: string | undefined): string {
  const namespace = checkName(value, 'Namespace');
  if (!/^[^:].*$/.test(namespace) || !/^[0-9A-Za-z.\-_/#: ]+$/.test(namespace)) {
    throw invalidValue(
      `The value ${namespace} for parameter Namespace is invalid: letters, digits and . - _ / # : may be in it, and no colon first.`,
    );
  }
  return namespace;
}

export function checkDimensions(given: readonly Dimension[] | undefined, member = 'Dimensions'): Dimensions {
  if ((given?.length ?? 0) > MOST_DIMENSIONS)
    throw invalidValue(`The collection ${member} must not have a size greater than ${MOST_DIMENSIONS}.`);
  const dimensions: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [index, { Name, Value }] of (given ?? []).entries()) {
    const name = checkName(Name, `${member}.member.${index + 1}.Name`);
    if (Value === undefined || Value === '') throw missing(`The parameter ${member}.member.${index + 1}.Value is required.`);
    if (Value.length > DIMENSION_VALUE_LENGTH) {
      throw invalidValue(`The parameter ${member}.member.${index + 1}.Value is longer than ${DIMENSION_VALUE_LENGTH} characters.`);
    }
    if (name in dimensions) throw invalidValue(`The dimension ${name} is given twice in ${member}.`);
    dimensions[name] = Value;
  }
  return dimensions;
}

/** In the order of their names. */
export function dimensionsView(dimensions: Dimensions): Dimension[] {
  return Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
}

/** Seconds; berth keeps minutes and refuses what is finer. */
export function checkPeriod(period: number | undefined, member = 'Period'): number {
  if (period === undefined) throw missing(`The parameter ${member} is required.`);
  if ([1, 5, 10, 20, 30].includes(period)) {
    throw invalidValue(`The parameter ${member} is ${period}: berth keeps metrics by the minute; a period is 60 or a multiple of it.`);
  }
  if (!Number.isInteger(period) || period < 60 || period % 60 !== 0 || period > 86_400 * 365) {
    throw invalidValue(`The parameter ${member} must be a multiple of 60; it is ${period}.`);
  }
  return period;
}

export function checkStatistic(statistic: string | undefined, member = 'Stat'): string {
  if (statistic === undefined) throw missing(`The parameter ${member} is required.`);
  if (/^(tm|wm|tc|ts|pr|TM|WM|TC|TS|PR|IQM)/.test(statistic)) throw invalidValue(`berth does not tell the statistic ${statistic} yet.`);
  if (!isStatistic(statistic)) throw invalidValue(`The value ${statistic.slice(0, 50)} for parameter ${member} is not supported.`);
  return statistic;
}

const MINUTE_MS = 60_000;

/** [start, end) in ms, the start rounded down to its minute, as the API reference says of times of the last 15 days. */
export function checkTimes(from: Date | undefined, to: Date | undefined): { start: number; end: number } {
  if (from === undefined) throw missing('The parameter StartTime is required.');
  if (to === undefined) throw missing('The parameter EndTime is required.');
  if (from.getTime() >= to.getTime()) throw invalidCombination('The parameter StartTime must be less than the parameter EndTime.');
  return { start: Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS, end: to.getTime() };
}
