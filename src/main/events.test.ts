/** EventBridge from a caller's PutEvents to where events go: the front door, the loops and the targets in one process, without a host. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { EventBridge } from '@aws-sdk/client-eventbridge';
import type { Target } from '@aws-sdk/client-eventbridge';
import { IAM } from '@aws-sdk/client-iam';
import { openEventPlatform } from '../../test/iam/event-platform.ts';
import { account } from '../../test/iam/platform.ts';

const region = 'us-east-1';
const scope = { account, region };
const group = (name: string) => `arn:aws:logs:${region}:${account}:log-group:${name}`;
let platform: Awaited<ReturnType<typeof openEventPlatform>>;
let events: EventBridge;

/** What the webhook was sent; it answers what `answers` has next, else 200. */
const calls: { url: string; headers: IncomingMessage['headers']; body: string }[] = [];
const answers: (number | { status: number; retryAfter: string })[] = [];
const hook = createServer(async (request, answer) => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  calls.push({ url: request.url ?? '', headers: request.headers, body });
  const next = answers.shift() ?? 200;
  if (typeof next === 'number') answer.writeHead(next).end();
  else answer.writeHead(next.status, { 'retry-after': next.retryAfter }).end();
});

before(async () => {
  platform = await openEventPlatform(['127.0.0.1']);
  events = new EventBridge({ endpoint: platform.endpoint, region, credentials: platform.root, maxAttempts: 1 });
  await new Promise<void>((resolve) => void hook.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  events?.destroy();
  await platform?.close();
  hook.closeAllConnections();
  await new Promise((resolve) => hook.close(resolve));
});

const until: (typeof platform)['until'] = (what, find) => platform.until(what, find);

const lines = async (name: string, stream: string) =>
  (await platform.logs.getEvents(scope, name, stream, { fromHead: true, limit: 100 })).events.map(({ message }) => message);
const put = (detail: object, type = 'Order') =>
  events.putEvents({ Entries: [{ Source: 'shop', DetailType: type, Detail: JSON.stringify(detail) }] });

/** A rule for events of this type. */
async function rule(name: string, targets: Target[], type = name): Promise<void> {
  await events.putRule({ Name: name, EventPattern: JSON.stringify({ source: ['shop'], 'detail-type': [type] }) });
  await events.putTargets({ Rule: name, Targets: targets });
}

async function webhook(name: string): Promise<string> {
  const AuthParameters = {
    ApiKeyAuthParameters: { ApiKeyName: 'X-Key', ApiKeyValue: 'secret-of-the-hook' },
    InvocationHttpParameters: { BodyParameters: [{ Key: 'from', Value: 'berth', IsValueSecret: true }] },
  };
  const { ConnectionArn } = await events.createConnection({ Name: name, AuthorizationType: 'API_KEY', AuthParameters });
  const { port } = hook.address() as AddressInfo;
  const made = await events.createApiDestination({
    Name: name,
    ConnectionArn,
    HttpMethod: 'POST',
    InvocationEndpoint: `http://127.0.0.1:${port}/${name}/*`,
  });
  return made.ApiDestinationArn ?? '';
}

describe('events', () => {
  it('go to log groups and webhooks, whole and transformed, in order', async () => {
    await platform.logs.createGroup(scope, '/orders', { tags: {} });
    const transformer = { InputPathsMap: { n: '$.detail.n' }, InputTemplate: '{"order": <n>}' };
    const Arn = await webhook('hook');
    await rule('Sold', [
      { Id: 'log', Arn: group('/orders') },
      {
        Id: 'hook',
        Arn,
        InputTransformer: transformer,
        HttpParameters: { PathParameterValues: ['a b'], HeaderParameters: { 'X-Shop': 's' } },
      },
    ]);
    const { Entries } = await events.putEvents({
      Entries: [1, 2, 3].map((n) => ({ Source: 'shop', DetailType: 'Sold', Detail: JSON.stringify({ n }) })),
    });
    const said = await until('lines', async () =>
      ((found) => (found.length === 3 ? found : undefined))(await lines('/orders', 'Sold').catch(() => [])),
    );
    assert.deepEqual(
      said.map((line) => JSON.parse(line).id),
      Entries?.map(({ EventId }) => EventId),
    );
    await until('calls', () => (calls.length === 3 ? true : undefined));
    assert.deepEqual(calls.map(({ body }) => JSON.parse(body).order).toSorted(), [1, 2, 3]);
    const [call] = calls;
    assert.equal(call?.url, '/hook/a%20b');
    assert.equal(call?.headers['x-key'], 'secret-of-the-hook');
    assert.equal(call?.headers['x-shop'], 's');
    assert.equal(JSON.parse(call?.body ?? '').from, 'berth');
    const shown = await events.describeConnection({ Name: 'hook' });
    assert.ok(!JSON.stringify(shown).includes('secret-of-the-hook') && !JSON.stringify(shown).includes('berth'));
  });

  it('are tried again, and given up to a group of dead letters', async () => {
    const Arn = await webhook('flaky');
    calls.length = 0;
    answers.push(503);
    await rule('Flaky', [{ Id: 'hook', Arn }]);
    await put({ n: 1 }, 'Flaky');
    await until('a second call', () => (calls.length >= 2 ? true : undefined));
    answers.push(400);
    const DeadLetterConfig = { Arn: group('/berth/dead-letters') };
    await rule('Refused', [{ Id: 'hook', Arn, DeadLetterConfig }]);
    await put({ n: 2 }, 'Refused');
    const [dead = ''] = await until('a dead letter', async () =>
      ((found) => (found.length > 0 ? found : undefined))(await lines('/berth/dead-letters', 'Refused').catch(() => [])),
    );
    const { event, ...why } = JSON.parse(dead);
    assert.deepEqual(event.detail, { n: 2 });
    assert.match(why.errorMessage, /answered 400/);
    await until('an end', async () => ((await platform.store.read((tx) => tx.eventDeliveries.count())) === 0 ? true : undefined));
  });

  it('wait as long as a webhook asks for, and are given up where it wants no other try', async () => {
    const Arn = (await events.describeApiDestination({ Name: 'flaky' })).ApiDestinationArn;
    const DeadLetterConfig = { Arn: group('/berth/busy') };
    await rule('Busy', [{ Id: 'hook', Arn, DeadLetterConfig }]);
    const only = async () => {
      const due = await platform.store.read((tx) => tx.eventDeliveries.due(Infinity, { lanes: 1, each: 1, except: [] }));
      return [...due.values()].flat()[0];
    };
    const asked = platform.clock.now();
    answers.push({ status: 429, retryAfter: '3600' });
    await put({}, 'Busy');
    const waits = await until('a try', async () => ((one) => (one?.attempts === 1 ? one : undefined))(await only()));
    assert.ok(waits.dueAt >= asked + 3_600_000, 'it is tried again in an hour');
    await platform.store.write((tx) => tx.eventDeliveries.put({ ...waits, dueAt: asked }));
    answers.push({ status: 503, retryAfter: new Date(asked + 7_200_000).toUTCString() });
    const longer = await until('a second try', async () => ((one) => (one?.attempts === 2 ? one : undefined))(await only()));
    assert.ok(longer.dueAt > asked + 7_190_000, 'and then at the time that it names');
    await platform.store.write((tx) => tx.eventDeliveries.delete(longer.id));
    answers.push({ status: 503, retryAfter: '-1' });
    await put({}, 'Busy');
    const [dead = ''] = await until('a dead letter', async () =>
      ((found) => (found.length > 0 ? found : undefined))(await lines('/berth/busy', 'Busy').catch(() => [])),
    );
    assert.equal(JSON.parse(dead).retryAttempts, 0);
  });

  it('have the parameters of a connection before those of the target', async () => {
    const pairs = (Key: string) => [{ Key, Value: 'of-the-connection', IsValueSecret: false }];
    const { ConnectionArn } = await events.createConnection({
      Name: 'pairs',
      AuthorizationType: 'BASIC',
      AuthParameters: {
        BasicAuthParameters: { Username: 'u', Password: 'p' },
        InvocationHttpParameters: { HeaderParameters: pairs('X-Who'), QueryStringParameters: pairs('who') },
      },
    });
    const InvocationEndpoint = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/pairs`;
    const made = await events.createApiDestination({ Name: 'pairs', ConnectionArn, HttpMethod: 'POST', InvocationEndpoint });
    const HttpParameters = { HeaderParameters: { 'X-Who': 'of-the-target' }, QueryStringParameters: { who: 'of-the-target', more: '1' } };
    await rule('Pairs', [{ Id: 'hook', Arn: made.ApiDestinationArn, HttpParameters }]);
    calls.length = 0;
    await put({}, 'Pairs');
    const call = await until('a call', () => calls[0]);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(call.url.split('?')[1])), { who: 'of-the-connection', more: '1' });
    assert.equal(call.headers['x-who'], 'of-the-connection');
  });

  it('come to a log group however large they are together, and one that it takes not keeps none back', async () => {
    await platform.logs.createGroup(scope, '/large', { tags: {} });
    // Twelve times the event is more than a log event may have: of the events below, the one with "much" alone is that large.
    const transformer = { InputPathsMap: { n: '$.detail.n', text: '$.detail.text' }, InputTemplate: `<n> ${'<text>'.repeat(12)}` };
    await rule('Large', [
      { Id: 'log', Arn: group('/large'), InputTransformer: transformer, DeadLetterConfig: { Arn: group('/berth/large') } },
    ]);
    const entries = Array.from({ length: 40 }, (_, n) =>
      JSON.stringify({ n, text: (n === 7 ? 'much' : 'x').repeat(n === 7 ? 30_000 : 10_000) }),
    );
    for (let at = 0; at < entries.length; at += 10)
      await events.putEvents({ Entries: entries.slice(at, at + 10).map((Detail) => ({ Source: 'shop', DetailType: 'Large', Detail })) });
    // A page has a megabyte at most.
    const numbers = async () => {
      const found: number[] = [];
      for (let token: string | undefined; ;) {
        const options = { fromHead: true, limit: 100, ...(token === undefined ? {} : { token }) };
        const page = await platform.logs.getEvents(scope, '/large', 'Large', options);
        if (page.events.length === 0) return found;
        found.push(...page.events.map(({ message }) => Number(message.split(' ')[0])));
        token = page.forward;
      }
    };
    const said = await until('lines', async () => ((found) => (found.length === 39 ? found : undefined))(await numbers().catch(() => [])));
    assert.deepEqual(
      said.toSorted((a, b) => a - b),
      entries.map((_, n) => n).filter((n) => n !== 7),
    );
    const [dead = ''] = await until('a dead letter', async () =>
      ((found) => (found.length === 1 ? found : undefined))(await lines('/berth/large', 'Large').catch(() => [])),
    );
    assert.match(JSON.parse(dead).errorMessage, /Log event too large/);
  });

  it('become the message and the time that an input transformer makes for a log group', async () => {
    await platform.logs.createGroup(scope, '/lines', { tags: {} });
    const template = (InputTemplate: string) => ({ InputPathsMap: { at: '$.detail.at', n: '$.detail.n' }, InputTemplate });
    await rule('Line', [{ Id: 'log', Arn: group('/lines'), InputTransformer: template('{"timestamp":<at>,"message":"order <n>"}') }]);
    const now = platform.clock.now();
    const times = [new Date(now - 3600_000).toISOString(), now - 60_000, '2001-01-01T00:00:00Z', now - 5 * 24 * 3600_000];
    for (const [n, at] of times.entries()) await put({ n, at }, 'Line');
    const found = await until('lines', async () => {
      const { events: said } = await platform.logs
        .getEvents(scope, '/lines', 'Line', { fromHead: true, limit: 10 })
        .catch(() => ({ events: [] }));
      return said.length === times.length ? said : undefined;
    });
    assert.deepEqual(found.map(({ message }) => message), ['order 3', 'order 0', 'order 1', 'order 2']); // prettier-ignore
    assert.deepEqual(found.slice(0, 3).map(({ timestamp }) => timestamp), [now - 5 * 24 * 3600_000, now - 3600_000, now - 60_000]); // prettier-ignore
    assert.ok((found[3]?.timestamp ?? 0) >= now, 'a time that no log takes is now');
  });

  it('never go where an API destination may not call, and say so', async () => {
    calls.length = 0;
    const { port } = hook.address() as AddressInfo;
    const { ConnectionArn } = await events.describeConnection({ Name: 'hook' });
    const DeadLetterConfig = { Arn: group('/berth/closed') };
    for (const [Name, host] of [
      ['metadata', '169.254.169.254'],
      ['loopback', '127.0.0.2'],
      ['name', 'x.localhost.'],
    ] as const) {
      const InvocationEndpoint = `http://${host}:${port}/`;
      const { ApiDestinationArn } = await events.createApiDestination({ Name, ConnectionArn, HttpMethod: 'POST', InvocationEndpoint });
      await rule(Name, [{ Id: 'hook', Arn: ApiDestinationArn, DeadLetterConfig }], 'Closed');
    }
    await put({ n: 1 }, 'Closed');
    for (const [name, why] of [
      ['metadata', /link-local/],
      ['loopback', /of this machine itself; .*berth up --webhooks-to 127\.0\.0\.2/],
    ] as const) {
      const [dead = ''] = await until(`a dead letter of ${name}`, async () =>
        ((found) => (found.length > 0 ? found : undefined))(await lines('/berth/closed', name).catch(() => [])),
      );
      assert.match(JSON.parse(dead).errorMessage, why);
      assert.equal(JSON.parse(dead).retryAttempts, 0);
    }
    // A name leads to what is open here, by the setting.
    await until('a call', () => (calls.length === 1 ? true : undefined));
  });

  it('start tasks by the role of the rule alone', async () => {
    const iam = new IAM({ endpoint: platform.endpoint, region, credentials: platform.root, maxAttempts: 1 });
    const trust = (service: string) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }],
      });
    await iam.createRole({ RoleName: 'weak', AssumeRolePolicyDocument: trust('events.amazonaws.com') });
    await iam.createRole({ RoleName: 'other', AssumeRolePolicyDocument: trust('ecs-tasks.amazonaws.com') });
    const target = (role: string): Target => ({
      Id: role,
      Arn: `arn:aws:ecs:${region}:${account}:cluster/default`,
      RoleArn: `arn:aws:iam::${account}:role/${role}`,
      EcsParameters: { TaskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/job:1` },
      DeadLetterConfig: { Arn: group('/berth/dead-letters') },
    });
    await rule('Job', [target('weak'), target('other')]);
    await put({}, 'Job');
    const dead = await until('two letters', async () =>
      ((found) => (found.length === 2 ? found : undefined))(await lines('/berth/dead-letters', 'Job').catch(() => [])),
    );
    const reasons = dead.map((line) => JSON.parse(line).errorMessage as string).toSorted();
    assert.match(reasons[0] ?? '', /role\/other can't be assumed by events\.amazonaws\.com/);
    assert.match(reasons[1] ?? '', /assumed-role\/weak\/.* is not authorized to perform: ecs:RunTask/);
    iam.destroy();
  });

  it('are asked for by policies', async () => {
    const iam = new IAM({ endpoint: platform.endpoint, region, credentials: platform.root, maxAttempts: 1 });
    await iam.createUser({ UserName: 'eve' });
    const PolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['events:PutRule', 'events:PutTargets'],
          Resource: '*',
          Condition: { StringEqualsIfExists: { 'events:source': 'shop' } },
        },
      ],
    });
    await iam.putUserPolicy({ UserName: 'eve', PolicyName: 'p', PolicyDocument });
    const { AccessKey } = await iam.createAccessKey({ UserName: 'eve' });
    const eve = new EventBridge({
      endpoint: platform.endpoint,
      region,
      maxAttempts: 1,
      credentials: { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' },
    });
    await eve.putRule({ Name: 'hers', EventPattern: '{"source":["shop"]}' });
    await assert.rejects(eve.putRule({ Name: 'hers', EventPattern: '{"source":["bank"]}' }), { name: 'AccessDeniedException' });
    await assert.rejects(eve.deleteRule({ Name: 'hers' }), { name: 'AccessDeniedException' });
    const ecs = {
      Id: 't',
      Arn: `arn:aws:ecs:${region}:${account}:cluster/default`,
      RoleArn: `arn:aws:iam::${account}:role/weak`,
      EcsParameters: { TaskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/job:1` },
    };
    await assert.rejects(eve.putTargets({ Rule: 'hers', Targets: [ecs] }), { name: 'AccessDeniedException', message: /iam:PassRole/ });
    eve.destroy();
    iam.destroy();
  });

  it("what is wrong is refused in EventBridge's words, and changes nothing", async () => {
    const ValidationException = 'ValidationException';
    await assert.rejects(events.putRule({ Name: 'a b', EventPattern: '{"a":[1]}' }), { name: ValidationException });
    await assert.rejects(events.putRule({ Name: 'r' }), {
      name: ValidationException,
      message: /EventPattern or ScheduleExpression must be specified/,
    });
    await assert.rejects(events.putRule({ Name: 'r', EventPattern: '{"source":"x"}' }), {
      name: 'InvalidEventPatternException',
      message: /Event pattern is not valid\. Reason: "source" must be an object or an array/,
    });
    await assert.rejects(events.putRule({ Name: 'r', ScheduleExpression: 'rate(1 minutes)' }), {
      name: ValidationException,
      message: 'Parameter ScheduleExpression is not valid.',
    });
    await assert.rejects(events.putRule({ Name: 'r', EventPattern: '{"a":[1]}', EventBusName: 'none' }), {
      name: 'ResourceNotFoundException',
      message: 'Event bus none does not exist.',
    });
    await assert.rejects(events.describeRule({ Name: 'r' }), {
      name: 'ResourceNotFoundException',
      message: 'Rule r does not exist on EventBus default.',
    });
    await events.putRule({ Name: 'r', EventPattern: '{"a":[1]}', Tags: [{ Key: 'team', Value: 'x' }] });
    const bad: Target[] = [
      { Id: 't', Arn: `arn:aws:sqs:${region}:${account}:q` },
      { Id: 't', Arn: `arn:aws:lambda:${region}:${account}:function:f` },
      { Id: 't', Arn: 'nonsense' },
      { Id: 't', Arn: `arn:aws:ecs:${region}:${account}:cluster/default` },
      { Id: 't', Arn: group('/g'), Input: '{' },
      { Id: 't', Arn: group('/g'), InputPath: 'detail' },
      { Id: 't', Arn: group('/g'), Input: '1', InputPath: '$' },
      { Id: 't', Arn: group('/g'), RetryPolicy: { MaximumRetryAttempts: 186 } },
      { Id: 't', Arn: group('/g'), DeadLetterConfig: { Arn: `arn:aws:sqs:${region}:${account}:q` } },
      { Id: 't', Arn: `arn:aws:logs:eu-west-1:${account}:log-group:g` },
    ];
    for (const target of bad)
      await assert.rejects(
        events.putTargets({ Rule: 'r', Targets: [{ Id: 'good', Arn: group('/g') }, target] }),
        { name: ValidationException },
        JSON.stringify(target),
      );
    assert.deepEqual((await events.listTargetsByRule({ Rule: 'r' })).Targets, []);
    const six = Array.from({ length: 6 }, (_, n) => ({ Id: `t${n}`, Arn: group('/g') }));
    await assert.rejects(events.putTargets({ Rule: 'r', Targets: six }), { name: 'LimitExceededException' });
    await events.putTargets({ Rule: 'r', Targets: [{ Id: 'a', Arn: group('/g') }] });
    await assert.rejects(events.deleteRule({ Name: 'r' }), {
      name: ValidationException,
      message: "Rule can't be deleted since it has targets.",
    });
    assert.deepEqual((await events.listRuleNamesByTarget({ TargetArn: group('/g') })).RuleNames, ['r']);
    const removed = await events.removeTargets({ Rule: 'r', Ids: ['a', 'b'] });
    assert.equal(removed.FailedEntries?.[0]?.TargetId, 'b');
    assert.deepEqual((await events.listTagsForResource({ ResourceARN: `arn:aws:events:${region}:${account}:rule/r` })).Tags, [
      { Key: 'team', Value: 'x' },
    ]);
    await events.disableRule({ Name: 'r' });
    assert.equal((await events.describeRule({ Name: 'r' })).State, 'DISABLED');
    await events.deleteRule({ Name: 'r' });
    const { Entries, FailedEntryCount } = await events.putEvents({
      Entries: [
        { Source: 's', DetailType: 'd', Detail: '[]' },
        { Source: 'aws.s3', DetailType: 'd', Detail: '{}' },
        { Source: 's', DetailType: 'd', Detail: '{}', EventBusName: 'none' },
      ],
    });
    assert.equal(FailedEntryCount, 3);
    assert.deepEqual(
      Entries?.map(({ ErrorCode }) => ErrorCode),
      ['MalformedDetail', 'NotAuthorizedForSourceException', 'InvalidArgument'],
    );
    await assert.rejects(events.createConnection({ Name: 'o', AuthorizationType: 'OAUTH_CLIENT_CREDENTIALS', AuthParameters: {} }), {
      message: /berth has no OAUTH/,
    });
    await assert.rejects(events.createArchive({ ArchiveName: 'a', EventSourceArn: 'arn:aws:events:us-east-1:1:event-bus/default' }), {
      message: /CreateArchive/,
    });
  });

  it('have buses of their own', async () => {
    await events.createEventBus({ Name: 'shop' });
    await assert.rejects(events.createEventBus({ Name: 'shop' }), { name: 'ResourceAlreadyExistsException' });
    await events.putRule({ Name: 'r', EventBusName: 'shop', EventPattern: '{"source":["shop"]}' });
    await assert.rejects(events.deleteEventBus({ Name: 'shop' }), { message: /since it has rules/ });
    assert.equal((await events.describeRule({ Name: 'r', EventBusName: 'shop' })).Arn, `arn:aws:events:${region}:${account}:rule/shop/r`);
    await events.deleteRule({ Name: 'r', EventBusName: 'shop' });
    await events.deleteEventBus({ Name: 'shop' });
    assert.deepEqual(
      (await events.listEventBuses({})).EventBuses?.map(({ Name }) => Name),
      ['default'],
    );
    const Event = JSON.stringify({
      id: '1',
      account,
      source: 's',
      time: '2026-11-27T12:00:00Z',
      region,
      resources: [],
      'detail-type': 'd',
      detail: { n: 3 },
    });
    assert.equal((await events.testEventPattern({ Event, EventPattern: '{"detail":{"n":[{"numeric":["<",4]}]}}' })).Result, true);
  });
});
