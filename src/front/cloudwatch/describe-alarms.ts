/** DescribeAlarms, DescribeAlarmsForMetric, DescribeAlarmHistory. */
import type {
  AlarmHistoryItem,
  AlarmType,
  DescribeAlarmHistoryInput,
  DescribeAlarmHistoryOutput,
  DescribeAlarmsForMetricInput,
  DescribeAlarmsForMetricOutput,
  DescribeAlarmsInput,
  DescribeAlarmsOutput,
} from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import { alarmArn, isComposite, isMetricAlarm } from '#domain/alarm.ts';
import type { AlarmRecord } from '#domain/alarm.ts';
import type { Scope } from '#domain/scope.ts';
import { cutPage } from '#gateway/page.ts';
import type { Handler } from '#gateway/types.ts';
import { alarmsOf } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { alarmView, compositeView } from './alarm-view.ts';
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
      if (input.ChildrenOfAlarmName !== undefined || input.ParentsOfAlarmName !== undefined) return await relatives(intent, input, scope);
      const found = (await allOf(intent, scope)).filter(
        ({ key, desired, observed }) =>
          ofTypes(types, desired.rule !== undefined) &&
          (names === undefined || names.length === 0 || names.includes(key.name)) &&
          (prefix === undefined || key.name.startsWith(prefix)) &&
          (state === undefined || observed.state === state) &&
          (action === undefined ||
            Object.values(desired.actions)
              .flat()
              .some((arn) => arn.startsWith(action))),
      );
      const { page, next } = pageOf(found, input);
      return { MetricAlarms: page.filter(isMetricAlarm).map(alarmView), CompositeAlarms: page.filter(isComposite).map(compositeView), ...next }; // prettier-ignore
    },
  };
}

/** Without types it is metric alarms. */
const ofTypes = (types: readonly AlarmType[] | undefined, composite: boolean) =>
  types === undefined || types.length === 0 ? !composite : types.includes(composite ? 'CompositeAlarm' : 'MetricAlarm');

function pageOf(found: readonly AlarmRecord[], { MaxRecords: size, NextToken: token }: DescribeAlarmsInput) {
  const { page, next } = cutPage(found, ({ key }) => key.name, { size: pageSize(size), token }, invalidToken);
  return { page, next: next === undefined ? {} : { NextToken: next } };
}

/** Children and parents of an alarm, of which AWS tells no more than this. */
async function relatives(intent: IntentDeps, input: DescribeAlarmsInput, scope: Scope): Promise<DescribeAlarmsOutput> {
  const { ChildrenOfAlarmName: parent, ParentsOfAlarmName: child, MaxRecords: _size, NextToken: _token, ...rest } = input;
  const others = Object.entries(rest).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0));
  if (others.length > 0 || (parent !== undefined && child !== undefined)) {
    const one = parent === undefined ? 'ParentsOfAlarmName' : 'ChildrenOfAlarmName';
    throw new Fault('ClientError', `No other parameters than MaxRecords and NextToken can be specified beside ${one}.`);
  }
  const [alarm] = await intent.store.read((tx) => alarmsOf(tx, scope, [parent ?? child ?? '']));
  const children = new Set(alarm !== undefined && isComposite(alarm) ? alarm.desired.children : []);
  const isWanted = (one: AlarmRecord) =>
    child === undefined ? children.has(one.key.name) : isComposite(one) && one.desired.children.includes(child);
  const { page, next } = pageOf((await allOf(intent, scope)).filter(isWanted), input);
  const view = ({ key, observed: { state, stateUpdatedAt } }: AlarmRecord) => ({
    AlarmName: key.name,
    AlarmArn: alarmArn(key),
    ...(child === undefined ? { StateValue: state, StateUpdatedTimestamp: new Date(stateUpdatedAt) } : {}),
  });
  return { MetricAlarms: page.filter(isMetricAlarm).map(view), CompositeAlarms: page.filter(isComposite).map(view), ...next };
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
      const found = (await allOf(intent, scope))
        .filter(isMetricAlarm)
        .filter(({ desired }) =>
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
      const { AlarmName: name, AlarmTypes: types, HistoryItemType: kind, StartDate: from, EndDate: to, ScanBy: order } = input;
      const alarms = (await allOf(intent, scope)).filter(
        ({ key, desired }) => ofTypes(types, desired.rule !== undefined) && (name === undefined || key.name === name),
      );
      const items = alarms.flatMap(({ key, desired, observed }) =>
        observed.history
          .filter(
            (item) =>
              (kind === undefined || item.kind === kind) &&
              (from === undefined || item.at >= from.getTime()) &&
              (to === undefined || item.at <= to.getTime()),
          )
          .map((item): AlarmHistoryItem => ({
            AlarmName: key.name,
            AlarmType: desired.rule === undefined ? 'MetricAlarm' : 'CompositeAlarm',
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
