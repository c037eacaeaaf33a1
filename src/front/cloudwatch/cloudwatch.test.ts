import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CloudWatch } from '@aws-sdk/client-cloudwatch';
import type { MetricDataQuery } from '@aws-sdk/client-cloudwatch';
import { AwsQueryProtocol } from '@aws-sdk/core/protocols';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import type { Gateway } from '#gateway/index.ts';
import { openMetrics } from '#metrics/index.ts';
import type { Metrics } from '#metrics/types.ts';
import { createCloudWatchApis } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-cloudwatch-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
const Namespace = 'My/App';
let gateway: Gateway;
let metrics: Metrics;
let cloudwatch: CloudWatch;
let port: number;

before(async () => {
  metrics = openMetrics(deps, { path: join(folder, 'metrics.db') });
  gateway = createGateway({ ...deps, apis: createCloudWatchApis({ metrics, ...deps }), keys, authorize: authorizeRoot, version: 'test' });
  port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  cloudwatch = new CloudWatch(options());
});

after(async () => {
  cloudwatch.destroy();
  await gateway.close();
  await metrics.close();
  rmSync(folder, { recursive: true, force: true });
});

const options = () => ({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1, credentials: keys.root });

const MINUTE = 60_000;
/** The start of an hour that is over. */
const hour = Math.floor(Date.now() / (60 * MINUTE)) * 60 * MINUTE - 60 * MINUTE;
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
    ['functions that are not served', asking({ Id: 'e1', Expression: "SEARCH('x')" }), 'ValidationException', /SEARCH yet/],
    [
      'times the wrong way round',
      asking(stat('m1', 'X', 'Sum'), { StartTime: minute(5), EndTime: minute(1) }),
      'InvalidParameterCombinationException',
      /StartTime/,
    ],
    ['a token of another list', () => cloudwatch.listMetrics({ NextToken: 'bm8' }), 'InvalidNextToken', /token/],
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
