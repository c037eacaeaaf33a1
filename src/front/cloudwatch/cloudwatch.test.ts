import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CloudWatch } from '@aws-sdk/client-cloudwatch';
import type { MetricAlarm, MetricDataQuery, PutMetricAlarmInput } from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { startAlarmsLoop } from '#control/alarms-loop.ts';
import type { Loop } from '#control/loop.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import type { Gateway } from '#gateway/index.ts';
import { openMetrics } from '#metrics/index.ts';
import type { Metrics } from '#metrics/types.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createCloudWatchApis } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-cloudwatch-'));
/** Ten seconds into a minute: alarms look at the minutes that are over, and none is over while a test looks. */
const aheadMs = 10_000 - (Date.now() % 60_000);
const clock = { ...realClock(), now: () => Date.now() + aheadMs };
const deps = { clock, random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
const Namespace = 'My/App';
let gateway: Gateway;
let metrics: Metrics;
let store: Store;
let alarms: Loop;
let cloudwatch: CloudWatch;
let port: number;

before(async () => {
  metrics = openMetrics(deps, { path: join(folder, 'metrics.db') });
  store = await createSqliteStore({ path: ':memory:' });
  alarms = startAlarmsLoop({ store, metrics, ...deps }, 'test');
  store.onChange(['alarms'], () => alarms.look());
  gateway = createGateway({
    ...deps,
    apis: createCloudWatchApis({ metrics, ...deps, intent: { store, ...deps } }),
    keys,
    authorize: authorizeRoot,
    version: 'test',
  });
  port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  cloudwatch = new CloudWatch(options());
});

after(async () => {
  cloudwatch.destroy();
  await gateway.close();
  await alarms.stop();
  await store.close();
  await metrics.close();
  rmSync(folder, { recursive: true, force: true });
});

const options = () => ({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1, credentials: keys.root });

const MINUTE = 60_000;
/** The start of an hour that is over. */
const hour = Math.floor(clock.now() / (60 * MINUTE)) * 60 * MINUTE - 60 * MINUTE;
const minute = (at: number) => new Date(hour + at * MINUTE);
const times = { StartTime: minute(0), EndTime: minute(10) };
const dimensions = (service: string) => [{ Name: 'Service', Value: service }];

async function put(MetricName: string, values: number[], service = 'web'): Promise<void> {
  const MetricData = values.map((Value, at) => ({
    MetricName,
    Value,
    Timestamp: minute(at),
    Dimensions: dimensions(service),
    Unit: 'Count' as const,
  }));
  await cloudwatch.putMetricData({ Namespace, MetricData });
}

const stat = (Id: string, MetricName: string, Stat: string, more: Partial<MetricDataQuery> = {}, Period = 60): MetricDataQuery => ({
  Id,
  MetricStat: { Metric: { Namespace, MetricName, Dimensions: dimensions('web') }, Stat, Period },
  ...more,
});

it('tells by period and statistic what was put, alone and in expressions', async () => {
  await put('Requests', [10, 20, 30, 40, 50, 60]);
  await put('Errors', [1, 0, 3, 4, 5, 6]);
  const { Datapoints = [], Label } = await cloudwatch.getMetricStatistics({
    Namespace,
    MetricName: 'Requests',
    Dimensions: dimensions('web'),
    Period: 300,
    Statistics: ['Sum', 'Maximum', 'SampleCount'],
    ExtendedStatistics: ['p50'],
    ...times,
  });
  assert.equal(Label, 'Requests');
  const points = Datapoints.toSorted((a, b) => Number(a.Timestamp) - Number(b.Timestamp));
  assert.deepEqual(
    points.map((point) => [point.Timestamp, point.Sum, point.Maximum, point.SampleCount, point.Average, point.Unit]),
    [
      [minute(0), 150, 50, 5, undefined, 'Count'],
      [minute(5), 60, 60, 1, undefined, 'Count'],
    ],
  );
  assert.ok(Math.abs((points[0]?.ExtendedStatistics?.['p50'] ?? 0) - 30) < 1);
  const { MetricDataResults = [] } = await cloudwatch.getMetricData({
    MetricDataQueries: [
      stat('requests', 'Requests', 'Sum', { ReturnData: false }),
      stat('errors', 'Errors', 'Sum', { ReturnData: false }),
      { Id: 'rate', Expression: '100 * errors / requests', Label: 'error rate' },
      { Id: 'worst', Expression: 'MAX(rate)' },
    ],
    ScanBy: 'TimestampAscending',
    ...times,
  });
  assert.deepEqual(
    MetricDataResults.map(({ Id, Label: label, Values }) => [Id, label, Values]),
    [
      ['rate', 'error rate', [10, 0, 10, 10, 10, 10]],
      ['worst', 'worst', Array.from({ length: 10 }, () => 10)],
    ],
  );
});

it('takes statistic sets, values with counts, and bodies that are compressed', async () => {
  const base = { MetricName: 'Latency', Timestamp: minute(1), Dimensions: dimensions('web'), Unit: 'Milliseconds' as const };
  const Values = Array.from({ length: 150 }, (_, index) => index + 0.5);
  // Long enough for the SDK to compress it.
  const MetricData = Array.from({ length: 20 }, () => ({ ...base, Values, Counts: Values.map(() => 2) }));
  await cloudwatch.putMetricData({ Namespace, MetricData });
  await cloudwatch.putMetricData({
    Namespace,
    MetricData: [{ ...base, StatisticValues: { SampleCount: 3, Sum: 600, Minimum: 100, Maximum: 300 } }],
  });
  const { MetricDataResults = [] } = await cloudwatch.getMetricData({
    MetricDataQueries: ['SampleCount', 'Minimum', 'Maximum', 'p99'].map((name, index) => stat(`m${index}`, 'Latency', name)),
    ...times,
  });
  assert.deepEqual(
    MetricDataResults.map(({ Values: told }) => told),
    [[6003], [0.5], [300], []],
  );
});

it('lists in pages, by dimension and name', async () => {
  const names = Array.from({ length: 520 }, (_, index) => `Many${index}`);
  const MetricData = names.map((MetricName) => ({ MetricName, Value: 1, Dimensions: dimensions('many') }));
  await cloudwatch.putMetricData({ Namespace, MetricData });
  const first = await cloudwatch.listMetrics({ Namespace, Dimensions: [{ Name: 'Service', Value: 'many' }] });
  assert.equal(first.Metrics?.length, 500);
  const second = await cloudwatch.listMetrics({ Namespace, Dimensions: [{ Name: 'Service', Value: 'many' }], NextToken: first.NextToken });
  assert.deepEqual(
    [...(first.Metrics ?? []), ...(second.Metrics ?? [])].map(({ MetricName }) => MetricName),
    names,
  );
  assert.equal(second.NextToken, undefined);
  const { Metrics } = await cloudwatch.listMetrics({ MetricName: 'Many7', Dimensions: [{ Name: 'Service' }] });
  assert.deepEqual(Metrics, [{ Namespace, MetricName: 'Many7', Dimensions: dimensions('many') }]);
});

it('tells points in pages', async () => {
  await put('Paged', [1, 2, 3, 4, 5]);
  const call = (NextToken?: string) =>
    cloudwatch.getMetricData({
      MetricDataQueries: [stat('a', 'Paged', 'Sum'), stat('b', 'Paged', 'Maximum')],
      MaxDatapoints: 4,
      NextToken,
      ...times,
    });
  const pages = [];
  for (let token: string | undefined, more = true; more; more = token !== undefined) {
    const { MetricDataResults = [], NextToken } = await call(token);
    pages.push(MetricDataResults.map(({ Values, StatusCode }) => [Values, StatusCode]));
    token = NextToken;
  }
  assert.deepEqual(pages, [
    [
      [[5, 4, 3, 2], 'PartialData'],
      [[], 'PartialData'],
    ],
    [
      [[1], 'Complete'],
      [[5, 4, 3], 'PartialData'],
    ],
    [
      [[], 'Complete'],
      [[2, 1], 'Complete'],
    ],
  ]);
});

it('speaks Query to older clients', async () => {
  const older = new CloudWatch({ ...options(), protocol: AwsQueryProtocol });
  await older.putMetricData({
    Namespace: 'Old',
    MetricData: [{ MetricName: 'Calls', Value: 7, Timestamp: minute(3), Dimensions: dimensions('web') }],
  });
  const { Metrics } = await older.listMetrics({ Namespace: 'Old' });
  assert.deepEqual(Metrics, [{ Namespace: 'Old', MetricName: 'Calls', Dimensions: dimensions('web') }]);
  const asked = { Namespace: 'Old', MetricName: 'Calls', Dimensions: dimensions('web'), Period: 60, Statistics: ['Average' as const] };
  const { Datapoints } = await older.getMetricStatistics({ ...asked, ...times });
  assert.deepEqual(Datapoints, [{ Timestamp: minute(3), Average: 7, Unit: 'None' }]);
  await assert.rejects(older.putMetricData({ Namespace: 'AWS/ECS', MetricData: [{ MetricName: 'X', Value: 1 }] }), {
    name: 'InvalidParameterValueException',
    message: /AWS\//,
  });
  older.destroy();
});

it('speaks CBOR to the newest clients', async () => {
  const newest = new CloudWatch({ ...options(), protocol: AwsSmithyRpcV2CborProtocol });
  const datum = { MetricName: 'Calls', Timestamp: minute(3), Dimensions: dimensions('web') };
  const MetricData = Array.from({ length: 40 }, (_, index) => ({ ...datum, Value: index + 0.5 }));
  await newest.putMetricData({ Namespace: 'New', MetricData });
  const { Metrics } = await newest.listMetrics({ Namespace: 'New' });
  assert.deepEqual(Metrics, [{ Namespace: 'New', MetricName: 'Calls', Dimensions: dimensions('web') }]);
  const asked = { Namespace: 'New', MetricName: 'Calls', Dimensions: dimensions('web'), Period: 60, Statistics: ['Average' as const] };
  const { Datapoints } = await newest.getMetricStatistics({ ...asked, ...times });
  assert.deepEqual(Datapoints, [{ Timestamp: minute(3), Average: 20, Unit: 'None' }]);
  await assert.rejects(newest.putMetricData({ Namespace: 'New', MetricData: [{ MetricName: 'X', Value: NaN }] }), {
    name: 'InvalidParameterValueException',
    message: 'The value NaN for parameter MetricData.member.1.Value is invalid.',
  });
  // This client goes by the code that the error had in Query.
  await assert.rejects(newest.getDashboard({ DashboardName: 'none' }), {
    name: 'ResourceNotFound',
    message: 'Dashboard none does not exist',
  });
  await assert.rejects(newest.listMetricStreams({}), { name: 'UnsupportedOperationException' });
  newest.destroy();
});

describe('alarms', () => {
  const plain: PutMetricAlarmInput = {
    AlarmName: 'busy',
    Namespace,
    MetricName: 'Busy',
    Dimensions: dimensions('web'),
    Statistic: 'Maximum',
    Period: 60,
    EvaluationPeriods: 3,
    DatapointsToAlarm: 2,
    Threshold: 80,
    ComparisonOperator: 'GreaterThanThreshold',
    AlarmActions: ['arn:aws:sns:us-east-1:123456789012:pager'],
    Tags: [{ Key: 'team', Value: 'web' }],
  };
  const describeOne = async (name: string): Promise<MetricAlarm | undefined> =>
    (await cloudwatch.describeAlarms({ AlarmNames: [name] })).MetricAlarms?.[0];
  const inState = async (name: string, state: string): Promise<MetricAlarm> => {
    for (let tries = 0; tries < 600; tries++) {
      const alarm = await describeOne(name);
      if (alarm?.StateValue === state) return alarm;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${name} never was ${state}: ${JSON.stringify(await describeOne(name))}`);
  };
  /** Of the last minutes, the newest last. */
  const measure = async (MetricName: string, values: number[]) => {
    const now = clock.now();
    const MetricData = values.map((Value, index) => ({
      MetricName,
      Value,
      Dimensions: dimensions('web'),
      Timestamp: new Date(now - (values.length - index) * MINUTE),
    }));
    await cloudwatch.putMetricData({ Namespace, MetricData });
  };

  it('ring by what was measured, and are read back as they were put', async () => {
    await measure('Busy', [10, 95, 96]);
    await cloudwatch.putMetricAlarm(plain);
    const alarm = await inState('busy', 'ALARM');
    assert.match(
      alarm.StateReason ?? '',
      /^Threshold Crossed: 2 out of the last 3 datapoints \[96\.0 .*, 95\.0 .*\] were greater than the threshold \(80\.0\)/,
    );
    const { Tags: Tags_, ...put } = plain;
    const { AlarmArn = '' } = alarm;
    assert.equal(AlarmArn, 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:busy');
    assert.deepEqual({ ...alarm, ...put }, alarm);
    assert.deepEqual((await cloudwatch.listTagsForResource({ ResourceARN: AlarmArn })).Tags, Tags_);
    const { MetricAlarms } = await cloudwatch.describeAlarmsForMetric({ Namespace, MetricName: 'Busy', Dimensions: dimensions('web') });
    assert.deepEqual(
      MetricAlarms?.map(({ AlarmName }) => AlarmName),
      ['busy'],
    );
    const { AlarmHistoryItems = [] } = await cloudwatch.describeAlarmHistory({ AlarmName: 'busy' });
    assert.deepEqual(AlarmHistoryItems.map(({ HistoryItemType }) => HistoryItemType).sort(), [
      'Action',
      'ConfigurationUpdate',
      'StateUpdate',
    ]);
  });

  it('watch metric math, change, and are set by hand', async () => {
    await measure('Lag', [1, 1, 1]);
    const { Namespace: _n, MetricName: _m, Dimensions: _d, Statistic: _s, Period: _p, ...rest } = plain;
    const Metrics = [stat('m1', 'Lag', 'Sum', { ReturnData: false }), { Id: 'e1', Expression: 'm1 * 100', Label: 'lag' }];
    await cloudwatch.putMetricAlarm({ ...rest, AlarmName: 'math', Metrics });
    await inState('math', 'ALARM');
    await cloudwatch.putMetricAlarm({ ...rest, AlarmName: 'math', Metrics, Threshold: 1000 });
    await inState('math', 'OK');
    await cloudwatch.setAlarmState({ AlarmName: 'math', StateValue: 'INSUFFICIENT_DATA', StateReason: 'a test' });
    assert.equal((await inState('math', 'INSUFFICIENT_DATA')).StateReason, 'a test');
    await cloudwatch.disableAlarmActions({ AlarmNames: ['math', 'absent'] });
    assert.equal((await describeOne('math'))?.ActionsEnabled, false);
    assert.deepEqual(
      (await describeOne('math'))?.Metrics?.map(({ Id }) => Id),
      ['m1', 'e1'],
    );
  });

  it('are insufficient without data, and go whole or not at all', async () => {
    await cloudwatch.putMetricAlarm({ ...plain, AlarmName: 'quiet', MetricName: 'NeverPut' });
    await inState('quiet', 'INSUFFICIENT_DATA');
    await assert.rejects(cloudwatch.deleteAlarms({ AlarmNames: ['quiet', 'absent'] }), { name: 'ResourceNotFound', message: /absent/ });
    assert.ok(await describeOne('quiet'));
    await cloudwatch.deleteAlarms({ AlarmNames: ['quiet'] });
    assert.equal(await describeOne('quiet'), undefined);
  });

  const ofNoMetric = { MetricName: undefined, Namespace: undefined, Statistic: undefined, Period: undefined, Dimensions: undefined, Unit: undefined }; // prettier-ignore
  const wrong: [change: Partial<PutMetricAlarmInput>, name: string, message: RegExp][] = [
    [{ ComparisonOperator: 'LessThanLowerThreshold' }, 'InvalidParameterValueException', /LessThanLowerThreshold/],
    [{ DatapointsToAlarm: 4 }, 'InvalidParameterValueException', /from 1 to EvaluationPeriods, 3; it is 4/],
    [{ TreatMissingData: 'perhaps' }, 'InvalidParameterValueException', /perhaps/],
    [{ ExtendedStatistic: 'p90' }, 'InvalidParameterCombinationException', /Exactly one of the parameters Statistic/],
    [{ AlarmActions: ['pager'] }, 'InvalidParameterValueException', /Invalid arn syntax: pager/],
    [{ EvaluationPeriods: 20_000, DatapointsToAlarm: 1 }, 'InvalidParameterCombinationException', /seven days/],
    [{ Metrics: [stat('m1', 'X', 'Sum')] }, 'InvalidParameterCombinationException', /beside Metrics/],
    [
      { ...ofNoMetric, Metrics: [{ Id: 'e1', Expression: "SUM(SEARCH('x', 'Sum', 60))" }] },
      'InvalidParameterValueException',
      /^SEARCH is not/,
    ],
  ];
  for (const [change, name, message] of wrong) {
    it(`are refused with ${JSON.stringify(change).slice(0, 60)}`, async () => {
      await assert.rejects(cloudwatch.putMetricAlarm({ ...plain, AlarmName: 'wrong', ...change }), { name, message });
      assert.equal(await describeOne('wrong'), undefined);
    });
  }
});

describe('bad input', () => {
  const datum = { MetricName: 'X', Value: 1 };
  const putting =
    (more: object, namespace = Namespace) =>
    () =>
      cloudwatch.putMetricData({ Namespace: namespace, MetricData: [{ ...datum, ...more }] });
  const asking =
    (query: object, more = {}) =>
    () =>
      cloudwatch.getMetricData({ MetricDataQueries: [query as MetricDataQuery], ...times, ...more });
  const cases: [what: string, call: () => Promise<unknown>, name: string, message: RegExp][] = [
    ["AWS's namespaces", putting({}, 'AWS/ECS'), 'InvalidParameterValueException', /AWS\/ for parameter Namespace/],
    ['no value', putting({ Value: undefined }), 'MissingRequiredParameterException', /MetricData\.member\.1\.Value/],
    ['two kinds of values', putting({ Values: [1] }), 'InvalidParameterCombinationException', /mutually exclusive/],
    [
      'old samples',
      putting({ Timestamp: new Date(Date.now() - 15 * 86_400_000) }),
      'InvalidParameterValueException',
      /two weeks in the past/,
    ],
    ['strange units', putting({ Unit: 'Furlong' }), 'InvalidParameterValueException', /Furlong/],
    [
      '31 dimensions',
      putting({ Dimensions: Array.from({ length: 31 }, (_, n) => ({ Name: `n${n}`, Value: 'v' })) }),
      'InvalidParameterValueException',
      /size greater than 30/,
    ],
    ['a huge value', putting({ Value: 1e200 }), 'InvalidParameterValueException', /invalid/],
    ['ids that begin with capitals', asking(stat('M1', 'X', 'Sum')), 'InvalidParameterValueException', /M1/],
    ['periods of seconds', asking(stat('m1', 'X', 'Sum', {}, 10)), 'InvalidParameterValueException', /by the minute/],
    ['trimmed means', asking(stat('m1', 'X', 'tm90')), 'InvalidParameterValueException', /tm90 yet/],
    ['expressions in a circle', asking({ Id: 'e1', Expression: 'e1 + 1' }), 'InvalidParameterValueException', /circle: e1, e1/],
    ['functions that are not served', asking({ Id: 'e1', Expression: 'ANOMALY_DETECTION_BAND(1)' }), 'ValidationException', /BAND yet/],
    [
      'times the wrong way round',
      asking(stat('m1', 'X', 'Sum'), { StartTime: minute(5), EndTime: minute(1) }),
      'InvalidParameterCombinationException',
      /StartTime/,
    ],
    ['a token of another list', () => cloudwatch.listMetrics({ NextToken: 'bm8' }), 'InvalidParameterValueException', /NextToken/],
  ];
  for (const [what, call, name, message] of cases) {
    it(`is refused: ${what}`, async () => {
      const before = metrics.list({ account: '123456789012', region: 'us-east-1' }).length;
      await assert.rejects(call, (thrown: Error) => {
        assert.match(thrown.message, message);
        assert.equal(thrown.name, name);
        return true;
      });
      assert.equal(metrics.list({ account: '123456789012', region: 'us-east-1' }).length, before);
    });
  }
});

describe('dashboards', () => {
  const DashboardBody = JSON.stringify({ widgets: [{ type: 'text', properties: { markdown: 'ü' } }] });

  it('are kept as they were put, once for all regions', async () => {
    assert.deepEqual((await cloudwatch.putDashboard({ DashboardName: 'front', DashboardBody: '{}' })).DashboardValidationMessages, []);
    await cloudwatch.putDashboard({ DashboardName: 'front', DashboardBody });
    await cloudwatch.putDashboard({ DashboardName: 'back', DashboardBody });
    const elsewhere = new CloudWatch({ ...options(), region: 'eu-west-1' });
    const arn = 'arn:aws:cloudwatch::123456789012:dashboard/front';
    const { DashboardArn, DashboardName, ...told } = await elsewhere.getDashboard({ DashboardName: 'front' });
    assert.deepEqual([DashboardArn, DashboardName, told.DashboardBody], [arn, 'front', DashboardBody]);
    const { DashboardEntries: all } = await elsewhere.listDashboards({});
    assert.deepEqual(all?.map((one) => [one.DashboardName, one.Size]), [['back', 60], ['front', 60]]); // prettier-ignore
    assert.deepEqual((await elsewhere.listDashboards({ DashboardNamePrefix: 'fr' })).DashboardEntries?.length, 1);
    elsewhere.destroy();
  });

  it('are not changed by what is refused', async () => {
    const before = await cloudwatch.listDashboards({});
    for (const [DashboardName, body] of [['a b', '{}'], ['x'.repeat(256), '{}'], ['front', 'no'], ['front', '[]'], ['front', 'null'], ['front', '{"widgets":3}']] as const) {
      await assert.rejects(cloudwatch.putDashboard({ DashboardName, DashboardBody: body }), { name: 'DashboardInvalidInputError' });
    } // prettier-ignore
    const tagged = { DashboardName: 'tagged', DashboardBody, Tags: [{ Key: 'a', Value: 'b' }] };
    await assert.rejects(cloudwatch.putDashboard(tagged), { name: 'InvalidParameterValueException', message: /Tags of dashboards/ });
    await assert.rejects(cloudwatch.putDashboard({ DashboardName: '', DashboardBody: '{}' }), {
      name: 'MissingRequiredParameterException',
    });
    // The SDK goes by the error's code in Query, which comes along in a header, where it has both.
    await assert.rejects(cloudwatch.getDashboard({ DashboardName: 'none' }), { name: 'ResourceNotFound' });
    await assert.rejects(cloudwatch.deleteDashboards({ DashboardNames: ['front', 'none'] }), { name: 'ResourceNotFound' });
    const { $metadata: _now, ...now } = await cloudwatch.listDashboards({});
    const { $metadata: _then, ...then } = before;
    assert.deepEqual(now, then);
  });

  it('read the same in Query, and are gone once they are deleted', async () => {
    const old = new CloudWatch({ ...options(), protocol: AwsQueryProtocol });
    assert.equal((await old.getDashboard({ DashboardName: 'back' })).DashboardBody, DashboardBody);
    await assert.rejects(old.getDashboard({ DashboardName: 'none' }), (error: Error & { Code?: string }) =>
      /not exist/.test(error.message),
    );
    await old.deleteDashboards({ DashboardNames: ['front', 'back'] });
    assert.deepEqual((await old.listDashboards({})).DashboardEntries ?? [], []);
    old.destroy();
  });
});
