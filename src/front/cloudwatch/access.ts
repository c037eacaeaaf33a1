/** What IAM is asked before each operation of CloudWatch. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch". */
import type { DescribeAlarmsInput } from '@aws-sdk/client-cloudwatch';
import { alarmArn, alarmName } from '#domain/alarm.ts';
import { dashboardArn } from '#domain/dashboard.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow } from '#gateway/types.ts';
import { alarmsOf } from '#intent/index.ts';
import type { CloudWatchDeps } from './types.ts';

export function cloudWatchAccess({ intent }: Pick<CloudWatchDeps, 'intent'>): AccessTable {
  const all: AccessRow = { resources: anything };
  const ofAlarm: AccessRow<{ AlarmName?: string | undefined }> = {
    resources: ({ AlarmName: name }, scope) => arnsOf(scope, [name ?? '*']),
  };
  const ofAlarms: AccessRow<{ AlarmNames?: string[] | undefined }> = { resources: ({ AlarmNames: names }, scope) => arnsOf(scope, names) };
  const puts: AccessRow = {
    ...ofAlarm,
    facts: (input) => ({
      ...requestTags(input.Tags),
      'cloudwatch:AlarmActions': [input.AlarmActions, input.OKActions, input.InsufficientDataActions].flatMap((actions) => actions ?? []),
    }),
  };
  const ofDashboard: AccessRow<{ DashboardName?: string | undefined }> = {
    resources: ({ DashboardName: name }, scope) => [dashboardArn(scope, name ?? '*')],
  };
  const ofAny: AccessRow = { resources: ({ ResourceARN: arn }) => [arn ?? ''] };
  return {
    vendor: 'cloudwatch',
    about: async (arn, scope) => {
      const name = alarmName(arn, scope);
      const [alarm] = name === undefined ? [] : ((await ifThere(() => intent.store.read((tx) => alarmsOf(tx, scope, [name])))) ?? []);
      return resourceTags(alarm?.desired.tags);
    },
    rows: {
      DeleteAlarms: ofAlarms,
      DeleteDashboards: { resources: ({ DashboardNames: names = ['*'] }, scope) => names.map((name: string) => dashboardArn(scope, name)) },
      DescribeAlarmHistory: ofAlarm,
      // CloudWatch API reference, DescribeAlarms: composite alarms are told to those who may ask for all alarms.
      DescribeAlarms: {
        resources: (input, scope) => arnsOf(scope, tellsComposites(input) ? ['*'] : (input.AlarmNames as string[] | undefined)),
      } satisfies AccessRow,
      DescribeAlarmsForMetric: all,
      DisableAlarmActions: ofAlarms,
      EnableAlarmActions: ofAlarms,
      GetDashboard: ofDashboard,
      GetMetricData: all,
      GetMetricStatistics: all,
      ListDashboards: all,
      ListMetrics: all,
      ListTagsForResource: ofAny,
      PutCompositeAlarm: puts,
      PutDashboard: { ...ofDashboard, facts: ({ Tags: tags }) => requestTags(tags) } satisfies AccessRow,
      PutMetricAlarm: puts,
      PutMetricData: { resources: anything, facts: ({ Namespace: name }) => (name === undefined ? {} : { 'cloudwatch:namespace': name }) },
      SetAlarmState: ofAlarm,
      TagResource: { ...ofAny, facts: ({ Tags }) => requestTags(Tags) },
      UntagResource: { ...ofAny, facts: ({ TagKeys }) => requestTags([], TagKeys) },
    },
  };
}

const tellsComposites = (input: DescribeAlarmsInput) =>
  input.AlarmTypes?.includes('CompositeAlarm') === true || (input.ChildrenOfAlarmName ?? input.ParentsOfAlarmName) !== undefined;

const arnsOf = ({ account, region }: Scope, names: readonly string[] = ['*']) => names.map((name) => alarmArn({ account, region, name }));
