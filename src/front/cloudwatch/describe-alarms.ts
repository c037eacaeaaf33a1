/** DescribeAlarms, DescribeAlarmsForMetric, DescribeAlarmHistory. */
import type {
  AlarmHistoryItem,
  DescribeAlarmHistoryInput,
  DescribeAlarmHistoryOutput,
  DescribeAlarmsForMetricInput,
  DescribeAlarmsForMetricOutput,
  DescribeAlarmsInput,
  DescribeAlarmsOutput,
} from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import type { AlarmRecord } from '#domain/alarm.ts';
import type { Scope } from '#domain/scope.ts';
import { cutPage } from '#gateway/page.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { alarmView } from './alarm-view.ts';
import { invalidCombination, invalidToken, invalidValue } from './errors.ts';
import { checkDimensions, checkName, checkNamespace } from './input.ts';
import { decodeToken, encodeToken } from './tokens.ts';
import type { CloudWatchDeps } from './types.ts';

const PAGE = 50;
const MOST = 100;

async function allOf(intent: IntentDeps, { account, region }: Scope): Promise<AlarmRecord[]> {
  const alarms = await intent.store.read((tx) => tx.alarms.list({ account, region }));
  return alarms.sort((a, b) => (a.key.name < b.key.name ? -1 : 1));
}

function pageSize(most: number = PAGE): number {
  if (most >= 1 && most <= MOST) return most;
  throw invalidValue(`The parameter MaxRecords must be from 1 to ${MOST}; it is ${most}.`);
}

export function describeAlarms({ intent }: CloudWatchDeps): Handler<DescribeAlarmsInput, DescribeAlarmsOutput> {
  return {
    name: 'DescribeAlarms',
    async handle(input, scope) {
      const { AlarmNames: names, AlarmNamePrefix: prefix, StateValue: state, ActionPrefix: action, AlarmTypes: types } = input;
      if (names !== undefined && names.length > 0 && prefix !== undefined) {
        throw invalidCombination('The parameters AlarmNames and AlarmNamePrefix are mutually exclusive.');
      }
      if (input.ChildrenOfAlarmName !== undefined || input.ParentsOfAlarmName !== undefined) {
        throw new Fault('Unsupported', 'berth has no composite alarms yet, so none has children or parents.');
      }
      const wantsMetric = types === undefined || types.length === 0 || types.includes('MetricAlarm');
      const found = (wantsMetric ? await allOf(intent, scope) : []).filter(
        ({ key, desired, observed }) =>
          (names === undefined || names.length === 0 || names.includes(key.name)) &&
          (prefix === undefined || key.name.startsWith(prefix)) &&
          (state === undefined || observed.state === state) &&
          (action === undefined ||
            Object.values(desired.actions)
              .flat()
              .some((arn) => arn.startsWith(action))),
      );
      const wish = { size: pageSize(input.MaxRecords), token: input.NextToken };
      const { page, next } = cutPage(found, ({ key }) => key.name, wish, invalidToken);
      return { MetricAlarms: page.map(alarmView), CompositeAlarms: [], ...(next === undefined ? {} : { NextToken: next }) };
    },
  };
}

export function describeAlarmsForMetric({ intent }: CloudWatchDeps): Handler<DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput> {
  return {
    name: 'DescribeAlarmsForMetric',
    async handle(input, scope) {
      const wanted = {
        namespace: checkNamespace(input.Namespace),
        name: checkName(input.MetricName, 'MetricName'),
        dimensions: checkDimensions(input.Dimensions),
      };
      const same = (a: Readonly<Record<string, string>>) =>
        Object.keys(a).length === Object.keys(wanted.dimensions).length &&
        Object.entries(a).every(([name, value]) => wanted.dimensions[name] === value);
      const statistic = input.Statistic ?? input.ExtendedStatistic;
      const found = (await allOf(intent, scope)).filter(({ desired }) =>
        desired.queries.some(
          ({ metric, periodS }) =>
            metric !== undefined &&
            metric.namespace === wanted.namespace &&
            metric.name === wanted.name &&
            same(metric.dimensions) &&
            (statistic === undefined || metric.statistic === statistic) &&
            (input.Period === undefined || periodS === input.Period) &&
            (input.Unit === undefined || metric.unit === input.Unit),
        ),
      );
      return { MetricAlarms: found.map(alarmView) };
    },
  };
}

export function describeAlarmHistory({ intent }: CloudWatchDeps): Handler<DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput> {
  return {
    name: 'DescribeAlarmHistory',
    async handle(input, scope) {
      const { AlarmName: name, HistoryItemType: kind, StartDate: from, EndDate: to, ScanBy: order } = input;
      const alarms = (await allOf(intent, scope)).filter(({ key }) => name === undefined || key.name === name);
      const items = alarms.flatMap(({ key, observed }) =>
        observed.history
          .filter(
            (item) =>
              (kind === undefined || item.kind === kind) &&
              (from === undefined || item.at >= from.getTime()) &&
              (to === undefined || item.at <= to.getTime()),
          )
          .map((item): AlarmHistoryItem => ({
            AlarmName: key.name,
            AlarmType: 'MetricAlarm',
            Timestamp: new Date(item.at),
            HistoryItemType: item.kind,
            HistorySummary: item.summary,
            HistoryData: item.data,
          })),
      );
      const direction = order === 'TimestampAscending' ? 1 : -1;
      const sorted = items.sort((a, b) => direction * (Number(a.Timestamp) - Number(b.Timestamp)));
      // Items have no names: where they stand is all that a token can say.
      const begin = decodeToken('history', input.NextToken);
      const end = begin + pageSize(input.MaxRecords);
      return {
        AlarmHistoryItems: sorted.slice(begin, end),
        ...(end < sorted.length ? { NextToken: encodeToken('history', end) } : {}),
      };
    },
  };
}
