/**
 * What state an alarm is in, from the values of its last periods. Pure. Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing
 * data": when fewer periods than are evaluated have data, older ones of a slightly wider range stand in, and only what then still lacks is treated.
 */
import type { AlarmComparison, AlarmState, MetricAlarmDesired } from '#domain/alarm.ts';

/** How many periods before those that are evaluated may stand in for missing ones. */
export const STAND_INS = 2;

/** `at`: start of the period, ms. */
export type Datapoint = { at: number; value: number };

export type Verdict = { state: AlarmState; reason: string; data: string };

/** `points`: those that there are in the last `evaluationPeriods + STAND_INS` periods, the oldest first. null: it stays as it is. */
export function evaluateAlarm(alarm: MetricAlarmDesired, points: readonly Datapoint[], now: number): Verdict | null {
  const { evaluationPeriods: periods, datapointsToAlarm: needed, missingData } = alarm;
  const used = points.slice(-periods);
  const lacking = periods - used.length;
  const breaching = used.filter(({ value }) => breaches(value, alarm));
  const data = dataOf(alarm, used, now);
  if (used.length === 0 && (missingData === 'missing' || missingData === 'ignore')) {
    if (missingData === 'ignore') return null;
    return { state: 'INSUFFICIENT_DATA', reason: `Insufficient Data: ${countOf(periods, 'datapoint')} ${was(periods)} unknown.`, data };
  }
  const filled = missingData === 'breaching' ? lacking : 0;
  const wanted = missingData === 'missing' ? Math.min(needed, used.length) : needed;
  const alarms = breaching.length + filled >= wanted;
  // Every one that there is breaches, and it depends on those that are missing.
  if (!alarms && missingData === 'ignore' && breaching.length === used.length) return null;
  const state = alarms ? 'ALARM' : 'OK';
  return { state, reason: reasonOf(alarm, state, used, breaching.length, filled), data };
}

const tests: Record<AlarmComparison, (value: number, threshold: number) => boolean> = {
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  GreaterThanThreshold: (value, threshold) => value > threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
};

const words: Record<AlarmComparison, string> = {
  GreaterThanOrEqualToThreshold: 'greater than or equal to',
  GreaterThanThreshold: 'greater than',
  LessThanThreshold: 'less than',
  LessThanOrEqualToThreshold: 'less than or equal to',
};

function breaches(value: number, { comparison, threshold }: MetricAlarmDesired): boolean {
  return tests[comparison](value, threshold);
}

function reasonOf(alarm: MetricAlarmDesired, state: AlarmState, used: readonly Datapoint[], breaching: number, filled: number): string {
  const { evaluationPeriods: periods, datapointsToAlarm: needed, comparison, threshold } = alarm;
  if (used.length === 0) {
    const treated = alarm.missingData === 'breaching' ? 'Breaching' : 'NonBreaching';
    return `Threshold Crossed: no datapoints were received for ${countOf(periods, 'period')} and ${countOf(periods, 'missing datapoint')} ${was(periods)} treated as [${treated}].`;
  }
  const shown = used.filter(({ value }) => breaches(value, alarm) === (state === 'ALARM'));
  const texts = shown.toReversed().map(({ at, value }) => `${decimal(value)} (${dayOf(at)})`);
  const rest = filled > 0 ? ` and ${countOf(filled, 'missing datapoint')} ${was(filled)} treated as [Breaching]` : '';
  const [not, to] = state === 'ALARM' ? ['', 'OK -> ALARM'] : ['not ', 'ALARM -> OK'];
  const least = state === 'ALARM' ? needed : periods - needed + 1;
  const count = state === 'ALARM' ? breaching : shown.length;
  return `Threshold Crossed: ${count} out of the last ${countOf(periods, 'datapoint')} [${texts.join(', ')}] ${was(count)} ${not}${words[comparison]} the threshold (${decimal(threshold)})${rest} (minimum ${countOf(least, 'datapoint')} for ${to} transition).`;
}

const countOf = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
const was = (count: number) => (count === 1 ? 'was' : 'were');
const decimal = (value: number) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

/** `27/11/26 09:40:00`, UTC. */
function dayOf(at: number): string {
  const [date = '', time = ''] = new Date(at).toISOString().split('T');
  const [year = '', month, day] = date.split('-');
  return `${day}/${month}/${year.slice(2)} ${time.slice(0, 8)}`;
}

const stamp = (at: number) => new Date(at).toISOString().replace('Z', '+0000');

/** StateReasonData, as far as it can be told of any alarm. */
function dataOf(alarm: MetricAlarmDesired, used: readonly Datapoint[], now: number): string {
  const { periodS: period, threshold, queries } = alarm;
  const statistic = queries.length === 1 ? queries[0]?.metric?.statistic : undefined;
  return JSON.stringify({
    version: '1.0',
    queryDate: stamp(now),
    ...(used[0] === undefined ? {} : { startDate: stamp(used[0].at) }),
    ...(statistic === undefined ? {} : { statistic }),
    period,
    recentDatapoints: used.map(({ value }) => value),
    threshold,
    evaluatedDatapoints: used.toReversed().map(({ at, value }) => ({ timestamp: stamp(at), value })),
  });
}
