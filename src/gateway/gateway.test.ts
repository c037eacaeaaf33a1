import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DescribeClustersCommand, DescribeTasksCommand, ECSClient, RunTaskCommand, UpdateServiceCommand } from '@aws-sdk/client-ecs';
import {
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CloudWatchLogsClient, DescribeLogGroupsCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import * as fc from 'fast-check';
import { realClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { createLog, type Log } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway, type Keys } from './index.ts';
import { hmac, sha256Hex, signingKey, canonicalRequest, stringToSign } from './sigv4-canonical.ts';
import type { ApiSpec, CallContext, Operation } from './types.ts';

type Handler = (input: any, context: CallContext) => Promise<unknown>;
const seen: { input: any; context: CallContext }[] = [];
let answers: Record<string, Handler> = {};
const logged: string[] = [];

function operation(service: string, name: string): Operation {
  return {
    name,
    action: `${service}:${name}`,
    resources: () => ['*'],
    async handle(input, context) {
      seen.push({ input, context });
      return (await answers[name]?.(input, context)) ?? {};
    },
  };
}

function api(service: string, protocol: ApiSpec['protocol'], target: string, schemaPackage: string, names: string[]): ApiSpec {
  const suffix = protocol.startsWith('json') ? 'Exception' : '';
  return {
    service,
    protocol,
    target,
    schemaPackage,
    operations: names.map((name) => operation(service, name)),
    errors: { name: (code, errorName) => ({ name: errorName ?? `${code}${suffix}`, status: code === 'Internal' ? 500 : 400 }) },
  };
}

const apis = [
  api('ecs', 'json-1.1', 'AmazonEC2ContainerServiceV20141113', '@aws-sdk/client-ecs', ['RunTask', 'DescribeTasks', 'DescribeClusters']),
  api('logs', 'json-1.1', 'Logs_20140328', '@aws-sdk/client-cloudwatch-logs', ['PutLogEvents', 'DescribeLogGroups']),
  api('sts', 'query', '2011-06-15', '@aws-sdk/client-sts', ['GetCallerIdentity']),
  api('ec2', 'ec2-query', '2016-11-15', '@aws-sdk/client-ec2', ['DescribeSubnets', 'DescribeVpcs', 'DescribeVpcAttribute']),
];

const folder = mkdtempSync(join(tmpdir(), 'berth-gateway-'));
let gateway: Gateway;
let keys: Keys;
let endpoint = '';
let port = 0;
const log: Log = createLog(realClock(), (line) => void logged.push(line), 'debug');

before(async () => {
  const deps = { clock: realClock(), random: realRandom() };
  keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
  gateway = createGateway({
    ...deps,
    apis,
    keys,
    authorize: authorizeRoot,
    log,
    version: '1.2.3',
    streamRoutes: [
      {
        method: 'POST',
        path: '/_berth/echo',
        action: 'berth:Echo',
        resources: () => ['*'],
        async handle(request) {
          if (request.query.get('fail') !== null) throw new Fault('InvalidParameter', 'no good');
          if (request.query.get('endless') !== null) return { status: 200, contentType: 'application/octet-stream', body: endless() };
          return { status: 200, contentType: 'application/octet-stream', body: request.body };
        },
      },
    ],
  });
  port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  endpoint = `http://127.0.0.1:${port}`;
});

after(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

const [begunEndless, leftEndless] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
async function* endless(): AsyncGenerator<Uint8Array> {
  begunEndless.resolve();
  try {
    for (;;) yield await new Promise<Buffer>((resolve) => setTimeout(resolve, 5, Buffer.from('more')));
  } finally {
    leftEndless.resolve();
  }
}

const client = (
  credentials = { accessKeyId: keys.root.accessKeyId, secretAccessKey: keys.root.secretAccessKey },
  region = 'eu-central-1',
) => ({
  endpoint,
  region,
  maxAttempts: 1,
  credentials,
});
const failure = (name: string, status: number, message?: RegExp) => (error: any) => {
  assert.equal(error.name, name, error.message);
  assert.equal(error.$metadata.httpStatusCode, status);
  if (message !== undefined) assert.match(error.message, message);
  return true;
};

/** A signed request by hand, for what no SDK would send. */
async function raw(options: {
  service?: string;
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  unsigned?: boolean;
  signal?: AbortSignal;
}) {
  const { service = 'ecs', method = 'POST', path = '/', body = '' } = options;
  const amzDate = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = amzDate.slice(0, 8);
  const payloadHash = options.unsigned ? 'UNSIGNED-PAYLOAD' : sha256Hex(Buffer.from(body));
  const headers: Record<string, string> = {
    host: `127.0.0.1:${port}`,
    'x-amz-date': amzDate,
    'x-amz-content-sha256': payloadHash,
    ...options.headers,
  };
  const signedHeaders = Object.keys(headers).sort();
  const [pathOnly = '', query = ''] = path.split('?');
  const canonical = canonicalRequest({
    method,
    path: pathOnly,
    query,
    signedHeaders,
    headers: Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, [v]])),
    payloadHash,
  });
  const scope = `${date}/us-east-1/${service}/aws4_request`;
  const signature = hmac(
    signingKey(keys.root.secretAccessKey, date, 'us-east-1', service),
    stringToSign(amzDate, scope, canonical),
  ).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.root.accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
  const response = await fetch(`${endpoint}${path}`, {
    method,
    headers: { ...headers, authorization },
    ...(method === 'GET' ? {} : { body }),
    signal: options.signal ?? null,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
const json = (operation: string, body: string, target = 'AmazonEC2ContainerServiceV20141113') =>
  raw({ headers: { 'x-amz-target': `${target}.${operation}`, 'content-type': 'application/x-amz-json-1.1' }, body });

describe('AWS JSON through the ECS and Logs clients', () => {
  it('carries every kind of value both ways', async () => {
    const ecs = new ECSClient(client());
    const createdAt = new Date('2026-11-23T10:00:00.250Z');
    answers = {
      RunTask: async () => ({
        tasks: [
          {
            taskArn: 'arn',
            createdAt,
            containers: [{ name: 'a', exitCode: 0 }],
            tags: [],
            unknown: 1,
            version: 3,
            enableExecuteCommand: false,
          },
        ],
        failures: [],
      }),
    };
    const input = {
      taskDefinition: 'nginx:1',
      count: 2,
      enableECSManagedTags: true,
      overrides: { containerOverrides: [{ name: 'ü', command: ['a', ''] }] },
    };
    const out = await ecs.send(new RunTaskCommand(input));
    const { clientToken, ...given } = seen.at(-1)!.input;
    assert.equal(typeof clientToken, 'string');
    assert.deepEqual(given, input);
    assert.deepEqual(out.tasks, [
      { taskArn: 'arn', createdAt, containers: [{ name: 'a', exitCode: 0 }], tags: [], version: 3, enableExecuteCommand: false },
    ]);
    assert.equal(seen.at(-1)!.context.region, 'eu-central-1');
    assert.equal(seen.at(-1)!.context.account, '123456789012');
    assert.equal(out.$metadata.requestId, seen.at(-1)!.context.requestId);
    const logs = new CloudWatchLogsClient(client());
    answers = { DescribeLogGroups: async () => ({ logGroups: [{ logGroupName: 'g', creationTime: 1_763_892_000_000 }] }) };
    assert.equal((await logs.send(new DescribeLogGroupsCommand({}))).logGroups?.[0]?.creationTime, 1_763_892_000_000);
  });

  it('writes faults as the API names them', async () => {
    const ecs = new ECSClient(client());
    answers = {
      DescribeTasks: async () => {
        throw new Fault('ClusterNotFound', 'Cluster not found.');
      },
    };
    await assert.rejects(
      ecs.send(new DescribeTasksCommand({ tasks: ['x'] })),
      failure('ClusterNotFoundException', 400, /^Cluster not found\.$/),
    );
    answers = {
      RunTask: async () => {
        throw new Fault('Conflict', 'other parameters', {
          details: { errorName: 'ConflictException', errorMembers: { resourceIds: ['a'] } },
        });
      },
    };
    await assert.rejects(ecs.send(new RunTaskCommand({ taskDefinition: 'a' })), (error: any) => {
      assert.deepEqual(error.resourceIds, ['a']);
      return failure('ConflictException', 400)(error);
    });
  });

  it('hides what broke inside, and logs it', async () => {
    answers = {
      DescribeTasks: async () => {
        throw new TypeError('secret detail');
      },
    };
    await assert.rejects(new ECSClient(client()).send(new DescribeTasksCommand({ tasks: ['x'] })), (error: any) => {
      assert.doesNotMatch(error.message, /secret/);
      assert.match(error.message, new RegExp(error.$metadata.requestId));
      return failure('InternalException', 500)(error);
    });
    assert.ok(logged.some((line) => line.includes('secret detail') && line.includes('gateway.test.ts')));
  });

  it('names missing members, wrong types and what it does not do', async () => {
    const ecs = new ECSClient(client());
    await assert.rejects(
      ecs.send(new DescribeTasksCommand({} as any)),
      failure(
        'InvalidParameterException',
        400,
        /^1 validation error detected: Value null at 'tasks' failed to satisfy constraint: Member must not be null$/,
      ),
    );
    await assert.rejects(
      new CloudWatchLogsClient(client()).send(
        new PutLogEventsCommand({ logGroupName: 'g', logStreamName: 's', logEvents: [{ message: 'x' } as any] }),
      ),
      failure('InvalidParameterException', 400, /Value null at 'logEvents\.1\.member\.timestamp'/),
    );
    await assert.rejects(
      ecs.send(new UpdateServiceCommand({ service: 's' })),
      failure('UnsupportedOperationException', 400, /^berth does not implement ecs:UpdateService yet\.$/),
    );
    const wrong = await json('RunTask', '{"taskDefinition":"a","count":"2"}');
    assert.equal(wrong.status, 400);
    assert.deepEqual(JSON.parse(wrong.text), {
      __type: 'SerializationException',
      message: 'STRING_VALUE can not be converted to an Integer',
    });
    assert.equal(wrong.headers.get('x-amzn-errortype'), 'SerializationException');
    assert.equal(JSON.parse((await json('DescribeTasks', '{"tasks":[7]}')).text).message, 'NUMBER_VALUE can not be converted to a String');
    assert.equal(JSON.parse((await json('DescribeTasks', '{nonsense')).text).__type, 'SerializationException');
    assert.equal(JSON.parse((await json('NoSuchThing', '{}')).text).__type, 'UnknownOperationException');
    assert.equal(JSON.parse((await json('RunTask', '{}', 'Nobody_1')).text).__type, 'UnknownOperationException');
  });
});

describe('AWS Query and EC2 Query through the STS and EC2 clients', () => {
  it('answers STS', async () => {
    answers = {
      GetCallerIdentity: async () => ({ Account: '123456789012', Arn: 'arn:aws:iam::123456789012:root', UserId: 'a<&>"\u0007é' }),
    };
    const out = await new STSClient(client()).send(new GetCallerIdentityCommand({}));
    assert.equal(out.Account, '123456789012');
    assert.equal(out.UserId, 'a<&>"\ufffdé');
    await assert.rejects(
      new STSClient(client()).send(new AssumeRoleCommand({ RoleArn: 'r', RoleSessionName: 's' })),
      failure('UnsupportedOperation', 400, /sts:AssumeRole/),
    );
    const unknown = await raw({
      service: 'sts',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=Nope&Version=2011-06-15',
    });
    assert.match(
      unknown.text,
      /<ErrorResponse>.*<Code>InvalidAction<\/Code><Message>Could not find operation Nope for version 2011-06-15<\/Message>/s,
    );
  });

  it('carries lists, filters, tags and booleans of EC2', async () => {
    const ec2 = new EC2Client(client());
    answers = {
      DescribeSubnets: async () => ({
        Subnets: [
          {
            SubnetId: 'subnet-1',
            AvailableIpAddressCount: 250,
            DefaultForAz: true,
            Tags: [
              { Key: 'a', Value: '' },
              { Key: 'b', Value: ' x ' },
            ],
          },
          { SubnetId: 'subnet-2', MapPublicIpOnLaunch: false, Tags: [] },
        ],
        NextToken: 'n',
      }),
    };
    const input = {
      Filters: [
        { Name: 'vpc-id', Values: ['vpc-1', 'vpc-2'] },
        { Name: 'tag:a&b', Values: ['ü +='] },
      ],
      SubnetIds: Array.from({ length: 12 }, (_, i) => `subnet-${i}`),
      MaxResults: 5,
      DryRun: false,
    };
    const out = await ec2.send(new DescribeSubnetsCommand(input));
    assert.deepEqual(seen.at(-1)!.input, input);
    assert.equal(out.Subnets?.length, 2);
    assert.deepEqual(out.Subnets?.[0]?.Tags, [
      { Key: 'a', Value: '' },
      { Key: 'b', Value: ' x ' },
    ]);
    assert.equal(out.Subnets?.[0]?.AvailableIpAddressCount, 250);
    assert.equal(out.Subnets?.[1]?.MapPublicIpOnLaunch, false);
    assert.equal(out.NextToken, 'n');
    answers = { DescribeVpcs: async () => ({ Vpcs: [] }) };
    assert.deepEqual((await ec2.send(new DescribeVpcsCommand({}))).Vpcs, []);
  });

  it("writes errors in EC2's form", async () => {
    const ec2 = new EC2Client(client());
    answers = {
      DescribeVpcs: async () => {
        throw new Fault('ResourceNotFound', "The vpc ID 'vpc-9' does not exist", { details: { errorName: 'InvalidVpcID.NotFound' } });
      },
    };
    await assert.rejects(ec2.send(new DescribeVpcsCommand({ VpcIds: ['vpc-9'] })), failure('InvalidVpcID.NotFound', 400, /'vpc-9'/));
    await assert.rejects(
      ec2.send(new DescribeVpcAttributeCommand({ Attribute: 'enableDnsSupport' } as any)),
      failure('MissingParameter', 400, /^The request must contain the parameter VpcId$/),
    );
    await assert.rejects(
      ec2.send(new RunInstancesCommand({ MinCount: 1, MaxCount: 1 })),
      failure('UnsupportedOperation', 400, /ec2:RunInstances/),
    );
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const wrong = await raw({ service: 'ec2', headers: form, body: 'Action=DescribeVpcs&Version=2016-11-15&MaxResults=many' });
    assert.match(wrong.text, /<Response><Errors><Error><Code>InvalidParameterValue<\/Code>/);
  });
});

describe('who may come in', () => {
  it("refuses wrong keys in each protocol's words", async () => {
    const stranger = client({ accessKeyId: 'AKIASTRANGERSTRANGER', secretAccessKey: 'x' });
    const liar = client({ accessKeyId: keys.root.accessKeyId, secretAccessKey: 'x' });
    const describe = new DescribeClustersCommand({});
    const invalid = /^The security token included in the request is invalid\.$/;
    await assert.rejects(new ECSClient(stranger).send(describe), failure('UnrecognizedClientException', 400, invalid));
    await assert.rejects(
      new ECSClient(liar).send(describe),
      failure('InvalidSignatureException', 400, /^The request signature we calculated/),
    );
    await assert.rejects(new STSClient(stranger).send(new GetCallerIdentityCommand({})), failure('InvalidClientTokenId', 403, invalid));
    await assert.rejects(new STSClient(liar).send(new GetCallerIdentityCommand({})), failure('SignatureDoesNotMatch', 403));
    await assert.rejects(new EC2Client(stranger).send(new DescribeVpcsCommand({})), failure('AuthFailure', 401));
    await assert.rejects(new EC2Client(liar).send(new DescribeVpcsCommand({})), failure('AuthFailure', 401));
    await assert.rejects(
      new ECSClient({ ...client(), signer: { sign: async (request: any) => request } } as any).send(describe),
      failure('MissingAuthenticationTokenException', 400),
    );
    const bare = await fetch(endpoint);
    assert.equal(bare.status, 403);
    assert.match(await bare.text(), /MissingAuthenticationToken/);
  });

  it('keeps its keys private and the same, and says when they are damaged', () => {
    const path = join(folder, 'keys.json');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(keys.root.accessKeyId, /^AKIA[A-Z2-7]{16}$/);
    assert.match(keys.root.secretAccessKey, /^[A-Za-z0-9+/]{40}$/);
    const deps = { clock: realClock(), random: realRandom() };
    assert.deepEqual(openKeys(deps, { path, account: '123456789012' }).root, keys.root);
    const torn = join(folder, 'torn.json');
    writeFileSync(torn, readFileSync(path, 'utf8').slice(0, 40));
    assert.throws(() => openKeys(deps, { path: torn, account: '123456789012' }), /is damaged/);
  });
});

describe("paths of berth's own", () => {
  it('says that it is well, to anybody', async () => {
    const response = await fetch(`${endpoint}/_berth/health`);
    assert.deepEqual(await response.json(), { status: 'ok', version: '1.2.3' });
    assert.equal((await fetch(`${endpoint}/_berth/health`, { method: 'HEAD' })).status, 200);
  });

  it('streams a signed upload, and nothing else', async () => {
    const body = 'x'.repeat(6 * 1024 * 1024);
    const echo = await raw({ service: 'berth', path: '/_berth/echo?name=a%20b', body, unsigned: true });
    assert.equal(echo.status, 200);
    assert.equal(echo.text.length, body.length);
    assert.equal((await raw({ service: 'berth', path: '/_berth/echo', body: 'small' })).text, 'small');
    const failed = await raw({ service: 'berth', path: '/_berth/echo?fail=1', body: 'small', unsigned: true });
    assert.equal(failed.status, 400);
    assert.equal(JSON.parse(failed.text).message, 'no good');
    assert.equal((await raw({ service: 'berth', path: '/_berth/other' })).status, 404);
    assert.equal((await raw({ service: 'ecs', path: '/_berth/echo' })).status, 400);
    assert.equal((await fetch(`${endpoint}/_berth/echo`, { method: 'POST' })).status, 400);
  });
});

describe('whoever goes away while an answer is sent', () => {
  it('ends it, and is no error of ours', async () => {
    const [before, leaving] = [logged.length, new AbortController()];
    const answer = raw({ service: 'berth', path: '/_berth/echo?endless=1', signal: leaving.signal });
    await Promise.all([assert.rejects(answer, { name: 'AbortError' }), begunEndless.promise.then(() => leaving.abort())]);
    await leftEndless.promise;
    // Whatever there is to say of it was said before another call is answered.
    assert.equal((await raw({ service: 'berth', path: '/_berth/echo' })).status, 200);
    assert.deepEqual(logged.slice(before), []);
  });
});

describe('anything at all as a body', () => {
  it("is never answered with a server's error", async () => {
    answers = {};
    const values = fc.jsonValue({ maxDepth: 6 });
    const known = fc.record(
      {
        taskDefinition: values,
        count: values,
        overrides: values,
        tags: values,
        networkConfiguration: values,
        __proto__: values,
        constructor: values,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          values.map((v) => JSON.stringify(v)),
          known.map((v) => JSON.stringify(v)),
          fc.string(),
        ),
        async (body) => {
          const answer = await json('RunTask', body);
          assert.ok(answer.status < 500, answer.text);
          JSON.parse(answer.text);
        },
      ),
      { numRuns: 300 },
    );
    const key = fc.stringMatching(/^(Filter|SubnetId|MaxResults|DryRun)(\.[0-9]{1,3}(\.(Name|Value)(\.[0-9]{1,9})?)?)?$/);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.oneof(key, fc.string()), fc.string())), async (pairs) => {
        const body = `Action=DescribeSubnets&Version=2016-11-15&${new URLSearchParams(pairs).toString()}`;
        const answer = await raw({ service: 'ec2', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });
        assert.ok(answer.status < 500, answer.text);
      }),
      { numRuns: 200 },
    );
  });

  it('is bounded', async () => {
    const large = await json('RunTask', JSON.stringify({ taskDefinition: 'x'.repeat(5 * 1024 * 1024) }));
    assert.equal(large.status, 413);
    const deep = await json('RunTask', `${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    assert.equal(deep.status, 400);
    const many = await raw({
      service: 'ec2',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `Action=DescribeSubnets${'&a=b'.repeat(10_001)}`,
    });
    assert.equal(many.status, 400);
  });
});
