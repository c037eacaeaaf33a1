/** An alarm as DescribeAlarms shows it. */
import type { CompositeAlarm, MetricAlarm } from '@aws-sdk/client-cloudwatch';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmRecord, CompositeAlarmDesired, MetricAlarmDesired } from '#domain/alarm.ts';

export function alarmView(alarm: AlarmRecord<MetricAlarmDesired>): MetricAlarm {
  const { queries, front } = alarm.desired;
  return { ...(queries.length === 1 && front['Metrics'] === undefined ? { Dimensions: [] } : {}), ...commonView(alarm) };
}

export const compositeView = (alarm: AlarmRecord<CompositeAlarmDesired>): CompositeAlarm => commonView(alarm);

function commonView({ key, desired, observed }: AlarmRecord): CompositeAlarm {
  return {
    OKActions: [],
    AlarmActions: [],
    InsufficientDataActions: [],
    ...desired.front,
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
