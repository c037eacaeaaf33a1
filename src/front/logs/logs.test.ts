import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import {
  CloudWatchLogs,
  MalformedQueryException,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
  type FilteredLogEvent,
} from '@aws-sdk/client-cloudwatch-logs';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { createLogs, type Logs } from '#logs/index.ts';
import type { FilterValues } from '#logs/types.ts';
import { createLogsApi } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-front-logs-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
let gateway: Gateway;
let logs: Logs;
let client: CloudWatchLogs;
/** What metric filters found. */
const fed: FilterValues[] = [];
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
};

before(async () => {
  logs = createLogs({ ...deps, dir: join(folder, 'logs'), metricSink: async (values) => void fed.push(...values) });
  gateway = createGateway({
    ...deps,
    apis: [createLogsApi({ logs, random: deps.random })],
    keys,
    authorize: authorizeRoot,
    version: 'test',
  });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  client = new CloudWatchLogs({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: keys.root,
    disableHostPrefix: true,
  });
});

after(async () => {
  client.destroy();
  await gateway.close();
  await logs.close();
  rmSync(folder, { recursive: true, force: true });
});

it('makes, shows, tags and deletes log groups', async () => {
  const logGroupName = '/ecs/web';
  await client.createLogGroup({ logGroupName, tags: { team: 'a' } });
  await assert.rejects(client.createLogGroup({ logGroupName }), {
    name: 'ResourceAlreadyExistsException',
    message: 'The specified log group already exists',
  });
  await assert.rejects(client.createLogGroup({ logGroupName: 'a b' }), { name: 'InvalidParameterException' });
  await assert.rejects(client.createLogGroup({ logGroupName: 'k', kmsKeyId: 'arn' }), { name: 'InvalidOperationException' });
  await client.putRetentionPolicy({ logGroupName, retentionInDays: 14 });
  const { logGroups } = await client.describeLogGroups({ logGroupNamePrefix: '/ecs' });
  const { creationTime, ...group } = logGroups![0]!;
  assert.ok(Math.abs(creationTime! - Date.now()) < 10_000);
  assert.deepEqual(group, {
    logGroupName,
    retentionInDays: 14,
    metricFilterCount: 0,
    arn: 'arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*',
    logGroupArn: 'arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web',
    storedBytes: 0,
    logGroupClass: 'STANDARD',
    deletionProtectionEnabled: false,
  });
  await client.deleteRetentionPolicy({ logGroupName });
  const identified = await client.describeLogGroups({ logGroupIdentifiers: [group.logGroupArn!, 'none'] });
  assert.equal(identified.logGroups?.[0]?.retentionInDays, undefined);
  assert.equal(identified.logGroups?.length, 1);
  const resourceArn = group.logGroupArn!;
  await client.tagResource({ resourceArn, tags: { b: '2' } });
  await client.tagLogGroup({ logGroupName, tags: { c: '3' } });
  await client.untagResource({ resourceArn: `${resourceArn}:*`, tagKeys: ['team'] });
  await client.untagLogGroup({ logGroupName, tags: ['c'] });
  assert.deepEqual((await client.listTagsForResource({ resourceArn })).tags, { b: '2' });
  assert.deepEqual((await client.listTagsLogGroup({ logGroupName })).tags, { b: '2' });
  const elsewhere = resourceArn.replace('us-east-1', 'eu-west-1');
  await assert.rejects(client.listTagsForResource({ resourceArn: elsewhere }), { name: 'ResourceNotFoundException' });
  for (let i = 0; i < 7; i++) await client.createLogGroup({ logGroupName: `page-${i}` });
  const names: string[] = [];
  for await (const page of paginateDescribeLogGroups({ client, pageSize: 3 }, { logGroupNamePrefix: 'page' })) {
    names.push(...page.logGroups!.map((one) => one.logGroupName!));
  }
  assert.deepEqual(
    names,
    [0, 1, 2, 3, 4, 5, 6].map((i) => `page-${i}`),
  );
  await assert.rejects(client.describeLogGroups({ limit: 51 }), { message: /Value '51' at 'limit'.*less than or equal to 50/ });
  await assert.rejects(client.describeLogGroups({ nextToken: 'x' }), { message: /nextToken is invalid/ });
  await client.deleteLogGroup({ logGroupName });
  await assert.rejects(client.deleteLogGroup({ logGroupName }), {
    name: 'ResourceNotFoundException',
    message: 'The specified log group does not exist.',
  });
});

it('puts, gets and filters events, and describes their streams', async () => {
  const logGroupName = 'app';
  const logStreamName = 'web/nginx/0123';
  await client.createLogGroup({ logGroupName });
  await client.createLogStream({ logGroupName, logStreamName });
  await assert.rejects(client.createLogStream({ logGroupName, logStreamName }), { name: 'ResourceAlreadyExistsException' });
  const now = Date.now();
  const logEvents = Array.from({ length: 25 }, (_, i) => ({ timestamp: now + i, message: `line ${i} ü` }));
  assert.equal((await client.putLogEvents({ logGroupName, logStreamName, logEvents })).rejectedLogEventsInfo, undefined);
  const late = await client.putLogEvents({
    logGroupName,
    logStreamName,
    logEvents: [{ timestamp: now - 20 * 24 * 3600_000, message: 'old' }],
  });
  assert.deepEqual(late.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 1 });
  await assert.rejects(client.putLogEvents({ logGroupName, logStreamName: 'none', logEvents }), {
    name: 'ResourceNotFoundException',
    message: 'The specified log stream does not exist.',
  });
  const tail = await client.getLogEvents({ logGroupName, logStreamName, limit: 2 });
  assert.deepEqual(
    tail.events?.map((event) => event.message),
    ['line 23 ü', 'line 24 ü'],
  );
  assert.match(tail.nextForwardToken!, /^f\/\d{56}\/s$/);
  const same = await client.getLogEvents({ logGroupName, logStreamName, nextToken: tail.nextForwardToken! });
  assert.deepEqual([same.events, same.nextForwardToken], [[], tail.nextForwardToken]);
  const found: FilteredLogEvent[] = [];
  for await (const page of paginateFilterLogEvents({ client, pageSize: 4 }, { logGroupName, filterPattern: '"line 1"' }))
    found.push(...page.events!);
  assert.equal(found.length, 11);
  assert.equal(new Set(found.map((event) => event.eventId)).size, 11);
  assert.equal(found[0]?.logStreamName, logStreamName);
  const { logStreams } = await client.describeLogStreams({ logGroupIdentifier: 'app', orderBy: 'LastEventTime', descending: true });
  assert.equal(logStreams?.[0]?.lastEventTimestamp, now + 24);
  assert.equal(logStreams?.[0]?.firstEventTimestamp, now);
  assert.equal(logStreams?.[0]?.arn, `arn:aws:logs:us-east-1:123456789012:log-group:app:log-stream:${logStreamName}`);
  await assert.rejects(client.describeLogStreams({ logGroupName, orderBy: 'LastEventTime', logStreamNamePrefix: 'w' }), {
    message: /^Cannot order by LastEventTime/,
  });
  await assert.rejects(client.describeLogStreams({}), { message: /Exactly one of/ });
  await client.deleteLogStream({ logGroupName, logStreamName });
  await assert.rejects(client.getLogEvents({ logGroupName, logStreamName }), { name: 'ResourceNotFoundException' });
});

it('tails groups live, as the SDK reads a stream of events', async () => {
  for (const logGroupName of ['tail-a', 'tail-b']) {
    await client.createLogGroup({ logGroupName });
    await client.createLogStream({ logGroupName, logStreamName: 'web/1' });
  }
  const arn = 'arn:aws:logs:us-east-1:123456789012:log-group:tail-a';
  const { responseStream } = await client.startLiveTail({ logGroupIdentifiers: [arn, 'tail-b'], logEventFilterPattern: 'ERROR -quiet' });
  const put = (logGroupName: string, message: string) =>
    client.putLogEvents({ logGroupName, logStreamName: 'web/1', logEvents: [{ timestamp: Date.now(), message }] });
  const found: string[] = [];
  for await (const event of responseStream!) {
    if (event.sessionStart !== undefined) {
      assert.deepEqual(event.sessionStart.logGroupIdentifiers, [arn, 'tail-b']);
      assert.equal(event.sessionStart.logEventFilterPattern, 'ERROR -quiet');
      for (const text of ['ERROR one', 'fine', 'ERROR quiet', 'ERROR zwölf']) await put('tail-a', text);
      await put('tail-b', 'ERROR two');
    }
    assert.equal(event.sessionUpdate?.sessionMetadata?.sampled ?? false, false);
    for (const one of event.sessionUpdate?.sessionResults ?? []) {
      assert.equal(one.logStreamName, 'web/1');
      assert.ok(one.ingestionTime! >= one.timestamp!);
      found.push(`${one.logGroupIdentifier} ${one.message}`);
    }
    if (found.length >= 3) break;
  }
  assert.deepEqual(found, ['123456789012:tail-a ERROR one', '123456789012:tail-a ERROR zwölf', '123456789012:tail-b ERROR two']);
  const refused = (input: object, message: RegExp) =>
    assert.rejects(client.startLiveTail({ logGroupIdentifiers: ['tail-a'], ...input }), { message });
  await refused({ logGroupIdentifiers: ['none'] }, /does not exist/);
  await refused({ logGroupIdentifiers: [] }, /1 to 10/);
  await refused({ logStreamNames: ['a'], logStreamNamePrefixes: ['b'] }, /mutually exclusive/);
  await refused({ logGroupIdentifiers: ['tail-a', 'tail-b'], logStreamNames: ['a'] }, /one log group only/);
  await refused({ logEventFilterPattern: '{ $.a' }, /Invalid filter pattern/);
});

it('keeps, tests and feeds metric filters', async () => {
  const logGroupName = 'filtered';
  await client.createLogGroup({ logGroupName, logGroupClass: 'STANDARD', deletionProtectionEnabled: true });
  await client.createLogStream({ logGroupName, logStreamName: 's' });
  const metricTransformations = [{ metricName: 'Slow', metricNamespace: 'App', metricValue: '$.ms', dimensions: { Path: '$.path' } }];
  const filter = { logGroupName, filterName: 'slow', filterPattern: '{ $.ms > 5 }', metricTransformations };
  await client.putMetricFilter(filter);
  await client.putMetricFilter({
    ...filter,
    filterName: 'errors',
    filterPattern: 'ERROR',
    metricTransformations: [{ metricName: 'Errors', metricNamespace: 'App', metricValue: '1', defaultValue: 0 }],
  });
  const { metricFilters } = await client.describeMetricFilters({ logGroupName });
  const { creationTime: _, ...slow } = metricFilters![1]!;
  const transformations = metricTransformations.map((one) => ({ ...one, unit: 'None' }));
  assert.deepEqual(slow, { ...filter, metricTransformations: transformations, applyOnTransformedLogs: false });
  const first = await client.describeMetricFilters({ limit: 1 });
  assert.deepEqual(first.metricFilters?.map((one) => one.filterName), ['errors']); // prettier-ignore
  const second = await client.describeMetricFilters({ limit: 1, nextToken: first.nextToken! });
  assert.deepEqual([second.metricFilters?.map((one) => one.filterName), second.nextToken], [['slow'], undefined]);
  const byMetric = await client.describeMetricFilters({ metricName: 'Slow', metricNamespace: 'App' });
  assert.equal(byMetric.metricFilters?.length, 1);
  await client.putLogEvents({ logGroupName, logStreamName: 's', logEvents: [{ timestamp: Date.now(), message: '{"ms":7,"path":"/a"}' }] });
  await until(() => fed.length > 0);
  assert.deepEqual(
    fed.map(({ name, namespace, dimensions, values }) => [namespace, name, dimensions, [...values]]),
    [['App', 'Slow', { Path: '/a' }, [[7, 1]]]],
  );
  await assert.rejects(client.deleteLogGroup({ logGroupName }), { name: 'ValidationException', message: /deletion protection/ });
  await client.putLogGroupDeletionProtection({ logGroupIdentifier: logGroupName, deletionProtectionEnabled: false });
  await client.deleteMetricFilter({ logGroupName, filterName: 'slow' });
  assert.equal((await client.describeLogGroups({ logGroupNamePrefix: logGroupName })).logGroups?.[0]?.metricFilterCount, 1);
  await client.deleteLogGroup({ logGroupName });
  const line = '127.0.0.1 - frank [10/Oct/2000] "GET /x HTTP/1.0" 404 1534';
  const tested = await client.testMetricFilter({
    filterPattern: '[ip, , user, at, request, status=4*, bytes]',
    logEventMessages: ['x', line],
  });
  const extractedValues = {
    $ip: '127.0.0.1',
    $2: '-',
    $user: 'frank',
    $at: '10/Oct/2000',
    $request: 'GET /x HTTP/1.0',
    $status: '404',
    $bytes: '1534',
  };
  assert.deepEqual(tested.matches, [{ eventNumber: 2, eventMessage: line, extractedValues }]);
  const json = await client.testMetricFilter({ filterPattern: '{ $.a.b = 1 }', logEventMessages: ['{"a":{"b":1}}'] });
  assert.deepEqual(json.matches?.[0]?.extractedValues, { '$.a.b': '1' });
});

it('keeps saved queries, and says what is not here', async () => {
  const { queryDefinitionId } = await client.putQueryDefinition({ name: 'n', queryString: 'fields @message', logGroupNames: ['a'] });
  await client.putQueryDefinition({ name: 'n', queryString: 'fields @timestamp', queryDefinitionId: queryDefinitionId! });
  const { queryDefinitions } = await client.describeQueryDefinitions({ queryDefinitionNamePrefix: 'n' });
  const { lastModified: _, ...kept } = queryDefinitions![0]!;
  assert.deepEqual(kept, { queryLanguage: 'CWLI', queryDefinitionId, name: 'n', queryString: 'fields @timestamp' });
  assert.equal((await client.deleteQueryDefinition({ queryDefinitionId: queryDefinitionId! })).success, true);
  await assert.rejects(client.deleteQueryDefinition({ queryDefinitionId: queryDefinitionId! }), { name: 'ResourceNotFoundException' });
  const subscription = {
    logGroupName: 'app',
    filterName: 'f',
    filterPattern: '',
    destinationArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/s',
  };
  await assert.rejects(client.putSubscriptionFilter(subscription), { message: 'berth does not implement logs:PutSubscriptionFilter yet.' });
  assert.deepEqual((await client.describeSubscriptionFilters({ logGroupName: 'app' })).subscriptionFilters, []);
  await assert.rejects(client.describeSubscriptionFilters({ logGroupName: 'none' }), { name: 'ResourceNotFoundException' });
  await assert.rejects(client.createExportTask({ logGroupName: 'app', from: 0, to: 1, destination: 'b' }), {
    message: /logs:CreateExportTask/,
  });
  await assert.rejects(client.putAccountPolicy({ policyName: 'p', policyDocument: '{}', policyType: 'DATA_PROTECTION_POLICY' }), {
    message: /logs:PutAccountPolicy/,
  });
});

it('answers queries of Logs Insights', async () => {
  const now = Date.now();
  for (const logGroupName of ['queried-a', 'queried-b']) {
    await client.createLogGroup({ logGroupName });
    await client.createLogStream({ logGroupName, logStreamName: 's' });
    const logEvents = Array.from({ length: 500 }, (_, i) => ({
      timestamp: now - 500 + i,
      message: JSON.stringify({ n: i, even: i % 2 === 0 }),
    }));
    await client.putLogEvents({ logGroupName, logStreamName: 's', logEvents });
  }
  const span = { startTime: Math.floor(now / 1000) - 60, endTime: Math.floor(now / 1000) + 1 };
  const ask = async (queryString: string, more: object = { logGroupNames: ['queried-a', 'queried-b'] }) => {
    const { queryId } = await client.startQuery({ ...span, queryString, ...more });
    for (;;) {
      const answer = await client.getQueryResults({ queryId: queryId! });
      if (answer.status !== 'Running') return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const { results, statistics, status } = await ask('filter even = 1 | stats count(*) as n, max(n) by @log | sort @log');
  assert.equal(status, 'Complete');
  assert.deepEqual(results, [
    [{ field: '@log', value: '123456789012:queried-a' }, { field: 'n', value: '250' }, { field: 'max(n)', value: '498' }], // prettier-ignore
    [{ field: '@log', value: '123456789012:queried-b' }, { field: 'n', value: '250' }, { field: 'max(n)', value: '498' }], // prettier-ignore
  ]);
  assert.deepEqual([statistics?.recordsScanned, statistics?.recordsMatched, statistics?.logGroupsScanned], [1000, 1000, 2]);
  const last = await ask('fields n | limit 1', { logGroupName: 'queried-a' });
  assert.deepEqual(last.results, [[{ field: 'n', value: '499' }]]);
  const failed = await client
    .startQuery({ ...span, queryString: 'frobnicate x', logGroupName: 'queried-a' })
    .catch((error: unknown) => error);
  assert.ok(failed instanceof MalformedQueryException);
  assert.match(failed.queryCompileError?.message ?? '', /no command 'frobnicate'/);
  assert.deepEqual(failed.queryCompileError?.location, { startCharOffset: 0, endCharOffset: 1 });
  await assert.rejects(client.startQuery({ ...span, queryString: 'fields a', logGroupName: 'none' }), {
    name: 'ResourceNotFoundException',
  });
  await assert.rejects(client.startQuery({ ...span, queryString: 'fields a' }), { message: /Exactly one of/ });
  await assert.rejects(client.getQueryResults({ queryId: 'none' }), { name: 'ResourceNotFoundException' });
  const { queryId } = await client.startQuery({ ...span, queryString: 'fields a', logGroupName: 'queried-a' });
  await client.stopQuery({ queryId: queryId! });
  assert.equal((await client.getQueryResults({ queryId: queryId! })).status, 'Cancelled');
  const { queries } = await client.describeQueries({ logGroupName: 'queried-a', status: 'Complete' });
  assert.deepEqual(
    queries?.map(({ queryString }) => queryString),
    ['fields n | limit 1', 'filter even = 1 | stats count(*) as n, max(n) by @log | sort @log'],
  );
});
