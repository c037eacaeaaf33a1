/** PutMetricAlarm's input, checked, as an alarm, and what PutCompositeAlarm's has too. Source: CloudWatch API reference, PutMetricAlarm. */
import type { MetricDataQuery, PutCompositeAlarmInput, PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import type { AlarmComparison, AlarmDesired, AlarmState, MissingData } from '#domain/alarm.ts';
import type { MetricQuery } from '#domain/metric-query.ts';
import type { AlarmWish, MetricAlarmWish } from '#intent/index.ts';
import { invalidCombination, invalidValue, missing } from './errors.ts';
import { checkDimensions, checkName, checkNamespace, checkPeriod, checkStatistic } from './input.ts';
import { queriesOf } from './queries.ts';
import { units } from './units.ts';

const COMPARISONS = ['GreaterThanOrEqualToThreshold', 'GreaterThanThreshold', 'LessThanThreshold', 'LessThanOrEqualToThreshold'];
const TREATMENTS = ['missing', 'ignore', 'breaching', 'notBreaching'];
const LONGEST_S = 7 * 86_400;
const MOST_ACTIONS = 5;
const REASON_LENGTH = 1024;

/** Members that another kind of alarm has. */
const FOREIGN = ['ThresholdMetricId', 'EvaluationCriteria', 'EvaluationInterval'] as const;

export function alarmWish(input: PutMetricAlarmInput): MetricAlarmWish {
  for (const member of FOREIGN) {
    if (Object.hasOwn(input, member)) throw new Fault('Unsupported', `berth does not implement ${member} of alarms yet.`);
  }
  const {
    ComparisonOperator: comparison,
    Threshold: threshold,
    EvaluationPeriods: periods,
    TreatMissingData: missingData = 'missing',
  } = input;
  if (comparison === undefined || !COMPARISONS.includes(comparison)) {
    throw invalidValue(
      `The value ${String(comparison).slice(0, 60)} for parameter ComparisonOperator is not supported; ${COMPARISONS.join(', ')} are.`,
    );
  }
  if (!TREATMENTS.includes(missingData))
    throw invalidValue(`Invalid parameter value 'TreatMissingData': ${missingData.slice(0, 50)}; it takes ${TREATMENTS.join(', ')}.`);
  if (threshold === undefined) throw missing('The parameter Threshold is required.');
  if (periods === undefined || !Number.isInteger(periods) || periods < 1)
    throw invalidValue(`The parameter EvaluationPeriods must be at least 1; it is ${periods}.`);
  const needed = input.DatapointsToAlarm ?? periods;
  if (!Number.isInteger(needed) || needed < 1 || needed > periods) {
    throw invalidValue(`The parameter DatapointsToAlarm must be from 1 to EvaluationPeriods, ${periods}; it is ${needed}.`);
  }
  const queries = input.Metrics === undefined ? [queryOf(input)] : mathOf(input, input.Metrics);
  const periodS = Math.max(...queries.map((query) => query.periodS ?? 60));
  if (periodS * periods > LONGEST_S)
    throw invalidCombination(`Metrics cannot be checked across more than seven days (EvaluationPeriods * Period).`);
  return {
    queries,
    periodS,
    threshold,
    comparison: comparison as AlarmComparison,
    evaluationPeriods: periods,
    datapointsToAlarm: needed,
    missingData: missingData as MissingData,
    ...commonOf(input),
  };
}

type AnyInput = PutMetricAlarmInput | PutCompositeAlarmInput;

/** What alarms of both types have. */
export function commonOf(input: AnyInput): Pick<AlarmWish, 'actionsEnabled' | 'actions' | 'tags' | 'front'> {
  return {
    actionsEnabled: input.ActionsEnabled ?? true,
    actions: actionsOf(input),
    tags: (input.Tags ?? []).map(({ Key, Value }) => ({ key: Key ?? '', value: Value ?? '' })),
    front: frontOf(input),
  };
}

function queryOf(input: PutMetricAlarmInput): MetricQuery {
  if ((input.Statistic === undefined) === (input.ExtendedStatistic === undefined)) {
    throw invalidCombination('Exactly one of the parameters Statistic and ExtendedStatistic must be specified.');
  }
  const { Unit } = input;
  if (Unit !== undefined && !units.has(Unit)) throw invalidValue(`The value ${String(Unit).slice(0, 50)} for parameter Unit is invalid.`);
  return {
    id: 'm1',
    label: undefined,
    returned: true,
    periodS: checkPeriod(input.Period),
    metric: {
      namespace: checkNamespace(input.Namespace),
      name: checkName(input.MetricName, 'MetricName'),
      dimensions: checkDimensions(input.Dimensions),
      statistic: checkStatistic(
        input.Statistic ?? input.ExtendedStatistic,
        input.Statistic === undefined ? 'ExtendedStatistic' : 'Statistic',
      ),
      ...(Unit === undefined ? {} : { unit: Unit }),
    },
  };
}

function mathOf(input: PutMetricAlarmInput, metrics: MetricDataQuery[]): MetricQuery[] {
  const beside = (['MetricName', 'Namespace', 'Dimensions', 'Period', 'Unit', 'Statistic', 'ExtendedStatistic'] as const).filter(
    (member) => input[member] !== undefined && !(Array.isArray(input[member]) && input[member].length === 0),
  );
  if (beside.length > 0) throw invalidCombination(`The parameters ${beside.join(', ')} must not be specified beside Metrics.`);
  const queries = queriesOf(metrics, 'Metrics');
  // CloudWatch user guide, "CloudWatch search expressions": an alarm watches one series.
  if (queries.some(({ expression }) => expression !== undefined && /\bSEARCH\s*\(/i.test(expression)))
    throw invalidValue('SEARCH is not supported on Metric Alarms.');
  const returned = queries.filter((query) => query.returned);
  if (returned.length !== 1) throw invalidValue(`Exactly one element of the metrics list should return data; ${returned.length} do.`);
  return queries;
}

function actionsOf({ OKActions = [], AlarmActions = [], InsufficientDataActions = [] }: AnyInput): Record<AlarmState, string[]> {
  for (const [member, arns] of Object.entries({ OKActions, AlarmActions, InsufficientDataActions })) {
    if (arns.length > MOST_ACTIONS) throw invalidValue(`The collection ${member} must not have a size greater than ${MOST_ACTIONS}.`);
    const strange = arns.find((arn) => !/^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+/.test(arn));
    if (strange !== undefined) throw invalidValue(`Invalid arn syntax: ${strange.slice(0, 200)}`);
  }
  return { OK: OKActions, ALARM: AlarmActions, INSUFFICIENT_DATA: InsufficientDataActions };
}

/** As DescribeAlarms shows it back: what the caller gave, with the defaults of lists. */
function frontOf(input: AnyInput): AlarmDesired['front'] {
  const { Tags: _tags, AlarmName: _name, ...given } = input;
  if ((given.AlarmDescription?.length ?? 0) > REASON_LENGTH)
    throw invalidValue(`The parameter AlarmDescription is longer than ${REASON_LENGTH} characters.`);
  return { ...given, ActionsEnabled: given.ActionsEnabled ?? true };
}
