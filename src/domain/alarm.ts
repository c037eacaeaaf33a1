/** CloudWatch alarms. Source: CloudWatch API reference, MetricAlarm and CompositeAlarm. Times in ms since the epoch. */
import type { MetricQuery } from './metric-query.ts';
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

export type AlarmComparison = 'GreaterThanOrEqualToThreshold' | 'GreaterThanThreshold' | 'LessThanThreshold' | 'LessThanOrEqualToThreshold';

export type MissingData = 'missing' | 'ignore' | 'breaching' | 'notBreaching';

export type AlarmDesired = MetricAlarmDesired | CompositeAlarmDesired;

export type MetricAlarmDesired = AlarmWishes & {
  rule?: undefined;
  /** The one that is `returned` is watched. */
  queries: MetricQuery[];
  /** Seconds, of what is watched. */
  periodS: number;
  threshold: number;
  comparison: AlarmComparison;
  evaluationPeriods: number;
  datapointsToAlarm: number;
  missingData: MissingData;
};

/** Its state is what the states of other alarms make of its rule (alarm-rule.ts). */
export type CompositeAlarmDesired = AlarmWishes & {
  rule: string;
  /** The names of the alarms in the rule, each once. */
  children: string[];
};

type AlarmWishes = {
  actionsEnabled: boolean;
  actions: Record<AlarmState, string[]>;
  updatedAt: number;
  tags: Tag[];
  /** A caller's SetAlarmState: holds until the next evaluation says something else. */
  set: { at: number; state: AlarmState; reason: string; data: string | null } | null;
  /** The members of PutMetricAlarm or PutCompositeAlarm as DescribeAlarms shows them back, opaque to berth. */
  front: Record<string, unknown>;
};

export type AlarmHistoryItem = { at: number; kind: 'ConfigurationUpdate' | 'StateUpdate' | 'Action'; summary: string; data: string };

export type AlarmObserved = {
  state: AlarmState;
  reason: string;
  reasonData: string | null;
  stateUpdatedAt: number;
  /** When it last became another state. */
  transitionedAt: number;
  /** `set.at` of the SetAlarmState that was carried out last, and `updatedAt` of the configuration that was looked at last. */
  setAt: number;
  configuredAt: number;
  /** Of a composite alarm, once it was evaluated: its children, and what each of them had become by then, and when. */
  seen?: Record<string, string>;
  /** The newest first. */
  history: AlarmHistoryItem[];
};

export type AlarmRecord<D extends AlarmDesired = AlarmDesired> = {
  key: Scope & { name: string };
  revision: number;
  desired: D;
  observed: AlarmObserved;
};

export const isMetricAlarm = (alarm: AlarmRecord): alarm is AlarmRecord<MetricAlarmDesired> => alarm.desired.rule === undefined;
export const isComposite = (alarm: AlarmRecord): alarm is AlarmRecord<CompositeAlarmDesired> => alarm.desired.rule !== undefined;

export function newAlarmObserved(now: number): AlarmObserved {
  return {
    state: 'INSUFFICIENT_DATA',
    reason: 'Unchecked: Initial alarm creation',
    reasonData: null,
    stateUpdatedAt: now,
    transitionedAt: now,
    setAt: 0,
    configuredAt: 0,
    history: [],
  };
}

export const alarmArn = ({ account, region, name }: AlarmRecord['key']) => `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;

/** The name in an alarm's ARN of this account and region; undefined for any other text. */
export function alarmName(arn: string, { account, region }: Scope): string | undefined {
  const prefix = alarmArn({ account, region, name: '' });
  return arn.startsWith(prefix) && arn.length > prefix.length ? arn.slice(prefix.length) : undefined;
}
