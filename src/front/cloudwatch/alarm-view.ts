/** An alarm as DescribeAlarms shows it. */
import type { MetricAlarm } from '@aws-sdk/client-cloudwatch';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmRecord } from '#domain/alarm.ts';

export function alarmView({ key, desired, observed }: AlarmRecord): MetricAlarm {
  return {
    OKActions: [],
    AlarmActions: [],
    InsufficientDataActions: [],
    ...(desired.queries.length === 1 && desired.front['Metrics'] === undefined ? { Dimensions: [] } : {}),
    ...(desired.front as Partial<MetricAlarm>),
    AlarmName: key.name,
    AlarmArn: alarmArn(key),
    AlarmConfigurationUpdatedTimestamp: new Date(desired.updatedAt),
    StateValue: observed.state,
    StateReason: observed.reason,
    ...(observed.reasonData === null ? {} : { StateReasonData: observed.reasonData }),
    StateUpdatedTimestamp: new Date(observed.stateUpdatedAt),
    StateTransitionedTimestamp: new Date(observed.transitionedAt),
  };
}
