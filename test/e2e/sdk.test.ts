/** The JavaScript SDK, unmodified, with its waiters, paginators and typed errors; and the API from inside a task. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  PutLogEventsCommand,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { DescribeNetworkInterfacesCommand, DescribeSecurityGroupsCommand, DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import {
  ConflictException,
  CreateClusterCommand,
  DeleteClusterCommand,
  DescribeTaskDefinitionCommand,
  DiscoverPollEndpointCommand,
  ECSClient,
  ListTagsForResourceCommand,
  paginateListTaskDefinitions,
  paginateListTasks,
  RunTaskCommand,
  TagResourceCommand,
  UpdateClusterSettingsCommand,
} from '@aws-sdk/client-ecs';
import type { ClusterSetting, RunTaskCommandInput } from '@aws-sdk/client-ecs';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ECR } from '@aws-sdk/client-ecr';
import { IAM } from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { addressOf, createSdk, LOG_GROUP, script } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { busyboxArchive } from './images.ts';
import { pushArchive } from './push.ts';

const { platform, sdk } = await platformFixture();

const idle = () => script("trap 'exit 0' TERM; while :; do sleep 0.1; done");
const named = (name: string) => (error: unknown) => {
  assert.equal((error as Error).name, name, String(error));
  return true;
};

describe('tasks', () => {
  it('run, are waited for, described with tags, and stop', async () => {
    const tasks = await sdk.run(await sdk.register('idle', [idle()]), {
      count: 3,
      tags: [{ key: 'team', value: 'blue' }],
      startedBy: 'sdk',
    });
    const running = await sdk.running(tasks);
    assert.deepEqual(
      running.map((task) => [task.lastStatus, task.startedBy, task.launchType, task.group, task.platformVersion]),
      running.map(() => ['RUNNING', 'sdk', 'FARGATE', 'family:idle', '1.4.0']),
    );
    assert.deepEqual(running[0]?.tags, [{ key: 'team', value: 'blue' }]);
    assert.equal(new Set(running.map(addressOf)).size, 3);
    const interfaces = (await sdk.ec2.send(new DescribeNetworkInterfacesCommand({}))).NetworkInterfaces ?? [];
    assert.deepEqual(interfaces.map((one) => one.PrivateIpAddress).toSorted(), running.map(addressOf).toSorted());
    await sdk.ecs.send(new TagResourceCommand({ resourceArn: running[0]?.taskArn, tags: [{ key: 'more', value: '1' }] }));
    assert.equal((await sdk.ecs.send(new ListTagsForResourceCommand({ resourceArn: running[0]?.taskArn }))).tags?.length, 2);
    await sdk.stop(tasks, 'done');
    const stopped = await sdk.stopped(tasks);
    assert.deepEqual(
      stopped.map((task) => [task.lastStatus, task.stopCode, task.containers?.[0]?.exitCode]),
      stopped.map(() => ['STOPPED', 'UserInitiated', 0]),
    );
    assert.deepEqual((await sdk.ec2.send(new DescribeNetworkInterfacesCommand({}))).NetworkInterfaces, []);
  });

  it('page', async () => {
    await sdk.stopped(
      (await Promise.all([1, 2].map(async () => sdk.run(await sdk.register('brief', [script('true')]), { count: 3 })))).flat(),
    );
    const pages = [];
    for await (const page of paginateListTasks({ client: sdk.ecs, pageSize: 4 }, { family: 'brief', desiredStatus: 'STOPPED' }))
      pages.push(page.taskArns?.length);
    assert.deepEqual(pages, [4, 2]);
    const arns = [];
    for await (const page of paginateListTaskDefinitions({ client: sdk.ecs, pageSize: 1 }, { familyPrefix: 'brief' }))
      arns.push(...(page.taskDefinitionArns ?? []));
    assert.deepEqual(
      arns.map((arn) => arn.split('/')[1]),
      ['brief:1', 'brief:2'],
    );
  });

  it('take overrides of the call', async () => {
    const definition = await sdk.register('says', [
      script('echo $WORD; exit $CODE', {
        environment: [
          { name: 'WORD', value: 'one' },
          { name: 'CODE', value: '1' },
        ],
      }),
    ]);
    const [task] = await sdk.stopped(
      await sdk.run(definition, {
        overrides: { cpu: '512', memory: '1024', containerOverrides: [{ name: 'main', environment: [{ name: 'CODE', value: '2' }] }] },
      }),
    );
    assert.ok(task);
    assert.equal(task.containers?.[0]?.exitCode, 2);
    assert.deepEqual([task.cpu, task.memory], ['512', '1024']);
    assert.deepEqual(await sdk.lines(task, 'main'), ['one']);
  });

  it('get environment files, behind their own variables and before those of later files; a call’s files stand instead', async () => {
    const s3 = new S3Client(sdk.config);
    try {
      await s3.send(new CreateBucketCommand({ Bucket: 'env-files' }));
      const files = { 'one.env': '# first\nFILE="a b" \nBOTH=one\nOWN=file\n', 'two.env': 'BOTH=two\nTWO=2', 'call.env': 'FILE=call' };
      await Promise.all(Object.entries(files).map(([Key, Body]) => s3.send(new PutObjectCommand({ Bucket: 'env-files', Key, Body }))));
    } finally {
      s3.destroy();
    }
    const file = (name: string) => ({ type: 's3' as const, value: `arn:aws:s3:::env-files/${name}` });
    const container = script('echo "$FILE,$BOTH,$OWN,$TWO"', {
      environment: [{ name: 'OWN', value: 'own' }],
      environmentFiles: [file('one.env'), file('two.env')],
    });
    const definition = await sdk.register('env-files', [container]);
    const override = (value: string) => ({ overrides: { containerOverrides: [{ name: 'main', environmentFiles: [file(value)] }] } });
    const started = [{}, override('call.env'), override('none.env')].map((change) => sdk.run(definition, change));
    const [plain, called, lost] = await sdk.stopped((await Promise.all(started)).flat());
    assert.ok(plain && called && lost);
    assert.deepEqual(await sdk.lines(plain, 'main'), ['"a b" ,one,own,2']);
    assert.deepEqual(await sdk.lines(called, 'main'), ['call,,own,']);
    assert.match(
      lost.stoppedReason ?? '',
      /^ResourceInitializationError: failed to download env files: .*NoSuchKey: The specified key does not exist\./,
    );
    assert.equal(lost.stopCode, 'TaskFailedToStart');
    await assert.rejects(sdk.run(definition, override('none')), /whose name ends with \.env/);
  });

  it('run once per client token', async () => {
    const input: RunTaskCommandInput = {
      taskDefinition: await sdk.register('once', [script('true')]),
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: await sdk.subnets() } },
      clientToken: 'a-token',
    };
    const first = await sdk.ecs.send(new RunTaskCommand(input));
    const again = await sdk.ecs.send(new RunTaskCommand(input));
    assert.equal(again.tasks?.[0]?.taskArn, first.tasks?.[0]?.taskArn);
    await assert.rejects(sdk.ecs.send(new RunTaskCommand({ ...input, count: 2 })), (error) => {
      assert.ok(error instanceof ConflictException);
      assert.deepEqual(error.resourceIds, [first.tasks?.[0]?.taskArn]);
      return true;
    });
    await sdk.stopped([first.tasks?.[0]?.taskArn ?? '']);
  });
});

describe('refusals', () => {
  it('name the operation that is not there yet, and wrong values', async () => {
    await assert.rejects(sdk.ecs.send(new DiscoverPollEndpointCommand({})), (error) => {
      assert.match((error as Error).message, /DiscoverPollEndpoint/);
      return named('UnsupportedOperationException')(error);
    });
    await assert.rejects(sdk.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'nothing' })), named('ClientException'));
    await assert.rejects(sdk.register('odd', [script('true')], { cpu: '300' }), (error) => {
      assert.match((error as Error).message, /No Fargate configuration exists for given values/);
      return named('ClientException')(error);
    });
  });

  it('close the door to a wrong key', async () => {
    const stranger = new ECSClient({ ...sdk.config, credentials: { ...sdk.config.credentials, secretAccessKey: 'x' } });
    try {
      await assert.rejects(stranger.send(new CreateClusterCommand({})), named('InvalidSignatureException'));
    } finally {
      stranger.destroy();
    }
  });
});

describe('the services around it', () => {
  it('tell who calls, and what the network is', async () => {
    const who = await sdk.sts.send(new GetCallerIdentityCommand({}));
    assert.deepEqual([who.Account, who.Arn], ['123456789012', 'arn:aws:iam::123456789012:root']);
    const [vpc, ...others] = (await sdk.ec2.send(new DescribeVpcsCommand({}))).Vpcs ?? [];
    assert.deepEqual(others, []);
    assert.equal(vpc?.IsDefault, true);
    const groups =
      (await sdk.ec2.send(new DescribeSecurityGroupsCommand({ Filters: [{ Name: 'vpc-id', Values: [vpc.VpcId ?? ''] }] })))
        .SecurityGroups ?? [];
    assert.deepEqual(
      groups.map((group) => group.GroupName),
      ['default'],
    );
  });

  it('keep logs that were put by hand', async () => {
    const group = { logGroupName: '/by/hand' };
    await sdk.logs.send(new CreateLogGroupCommand(group));
    await sdk.logs.send(new PutRetentionPolicyCommand({ ...group, retentionInDays: 7 }));
    await sdk.logs.send(new CreateLogStreamCommand({ ...group, logStreamName: 's' }));
    const now = Date.now();
    const logEvents = Array.from({ length: 25 }, (_, n) => ({ timestamp: now + n, message: n % 5 === 0 ? `ERROR ${n}` : `fine ${n}` }));
    await sdk.logs.send(new PutLogEventsCommand({ ...group, logStreamName: 's', logEvents }));
    const found = [];
    for await (const page of paginateFilterLogEvents({ client: sdk.logs, pageSize: 2 }, { ...group, filterPattern: 'ERROR' }))
      found.push(...(page.events ?? []));
    assert.deepEqual(
      found.map((event) => event.message),
      [0, 5, 10, 15, 20].map((n) => `ERROR ${n}`),
    );
    const groups = [];
    for await (const page of paginateDescribeLogGroups({ client: sdk.logs, pageSize: 1 }, {})) groups.push(...(page.logGroups ?? []));
    assert.deepEqual(
      groups.map((one) => [one.logGroupName, one.retentionInDays]),
      [
        ['/by/hand', 7],
        [LOG_GROUP, undefined],
      ],
    );
    await sdk.logs.send(new DeleteLogGroupCommand(group));
  });
});

describe('the API from inside a task', () => {
  const look = script('wget -qO- http://169.254.170.3/_berth/health; echo; env | grep ^AWS_ | sort');
  const seen = async (family: string, cluster: string) => {
    const [task] = await sdk.run(await sdk.register(family, [look]), { cluster });
    assert.ok(task);
    for (let tries = 0; ; tries++) {
      const [now] = await sdk.describe([task], cluster);
      if (now?.lastStatus === 'STOPPED') return sdk.lines(task, 'main');
      assert.ok(tries < 300, `${family} did not end`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  it('answers on a link-local address that the environment names', async () => {
    const [health = '', ...environment] = await seen('inside', 'default');
    assert.equal((JSON.parse(health) as { status: string }).status, 'ok');
    assert.deepEqual(environment, [
      'AWS_DEFAULT_REGION=us-east-1',
      'AWS_ENDPOINT_URL=http://169.254.170.3',
      'AWS_EXECUTION_ENV=AWS_ECS_FARGATE',
      'AWS_REGION=us-east-1',
    ]);
  });

  it('is not named where the cluster says so', async () => {
    await sdk.ecs.send(new CreateClusterCommand({ clusterName: 'quiet' }));
    // A setting of berth's own, which the SDK's type can't know.
    const settings = [{ name: 'berth:endpoint-injection', value: 'disabled' }] as unknown as ClusterSetting[];
    await sdk.ecs.send(new UpdateClusterSettingsCommand({ cluster: 'quiet', settings }));
    const lines = await seen('inside-quiet', 'quiet');
    assert.deepEqual(
      lines.filter((line) => line.startsWith('AWS_')),
      ['AWS_EXECUTION_ENV=AWS_ECS_FARGATE'],
    );
    await sdk.ecs.send(new DeleteClusterCommand({ cluster: 'quiet' }));
  });

  it('is the region of the caller', async () => {
    const away = createSdk(platform, { region: 'ap-south-1' });
    try {
      const [task] = await away.run(await away.register('away', [script('env | grep ^AWS_ | sort', { name: 'main' })]));
      assert.match(task?.taskArn ?? '', /^arn:aws:ecs:ap-south-1:123456789012:task\/default\//);
      await away.stopped([task ?? '']);
      assert.deepEqual(
        await sdk.ecs.send(new RunTaskCommand({ taskDefinition: 'away' })).catch((error: Error) => error.name),
        'ClientException',
      );
      assert.ok((await sdk.lines(task ?? '', 'main')).includes('AWS_REGION=ap-south-1'));
    } finally {
      away.close();
    }
  });
});

// Last: from the first role on all that tasks name must be there, as on AWS.
describe("an image of berth's own registry", () => {
  it('starts where it was pushed to, by each of its names, for an execution role that may pull it', async () => {
    const ecr = new ECR(sdk.config);
    const iam = new IAM(sdk.config);
    try {
      await ecr.createRepository({ repositoryName: 'team/app' });
      const { authorizationData } = await ecr.getAuthorizationToken({});
      const authorization = `Basic ${authorizationData?.[0]?.authorizationToken}`;
      const digest = await pushArchive(await busyboxArchive(), sdk.config.endpoint, 'team/app:v1', authorization);
      const names = ['123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:v1', `localhost:${platform.apiPort}/team/app@${digest}`];
      const containers = names.map((image, i) => ({ name: `c${i}`, image, essential: i === 0, command: ['sh', '-c', 'exit 7'] }));
      const [ended] = await sdk.stopped(await sdk.run(await sdk.register('pushed', containers)));
      assert.deepEqual(
        ended?.containers?.map((one) => [one.imageDigest, one.exitCode]),
        names.map(() => [digest, 7]),
      );

      const trust = { Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' };
      const document = (statement: object) => JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
      const { Role } = await iam.createRole({ RoleName: 'puller', AssumeRolePolicyDocument: document(trust) });
      const change = { executionRoleArn: Role?.Arn };
      const alone = containers.slice(1).map((one) => ({ ...one, essential: true }));
      const [bare] = await sdk.stopped(await sdk.run(await sdk.register('bare', alone, { executionRoleArn: undefined })));
      assert.match(bare?.stoppedReason ?? '', /the task has no execution role that could allow ecr:GetAuthorizationToken/);
      const reasonFor = async (...Action: string[]) => {
        const allow = { Effect: 'Allow', Action: ['ecs:Nothing', ...Action], Resource: '*' };
        await iam.putRolePolicy({ RoleName: 'puller', PolicyName: 'p', PolicyDocument: document(allow) });
        const [task] = await sdk.stopped(await sdk.run(await sdk.register('guarded', containers.slice(0, 1), change)));
        return task?.stoppedReason ?? '';
      };
      assert.match(
        await reasonFor(),
        /^ResourceInitializationError: unable to pull secrets or registry auth: .*puller.* is not authorized to perform: ecr:GetAuthorizationToken on resource: \*/,
      );
      const half = await reasonFor('ecr:GetAuthorizationToken', 'ecr:BatchGetImage');
      assert.match(
        half,
        /^CannotPullContainerError: .*403 Forbidden: .*is not authorized to perform: ecr:GetDownloadUrlForLayer on resource: arn:aws:ecr:us-east-1:123456789012:repository\/team\/app/,
      );
      assert.match(await reasonFor('ecr:*'), /^Essential container in task exited/);
      await ecr.deleteRepository({ repositoryName: 'team/app', force: true });
      assert.match(
        await reasonFor('ecr:*'),
        /^CannotPullContainerError: .*failed to resolve ref 123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com\/team\/app:v1: not found: The repository with name 'team\/app' does not exist/,
      );
    } finally {
      ecr.destroy();
      iam.destroy();
    }
  });
});
