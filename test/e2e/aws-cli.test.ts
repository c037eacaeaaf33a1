/** The stock tools of Debian 12: its AWS CLI (2.9, which needs --endpoint-url) and its boto3, with their waiters and paginators. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until } from './platform.ts';
import type { Ran } from './platform.ts';

/** What the CLI exits with when a service answers with an error (AWS CLI user guide, "Return codes"). */
const SERVICE_ERROR = 254;
const ACCOUNT = '123456789012';

type Detail = { name: string; value: string };
type CliTask = {
  taskArn: string;
  lastStatus: string;
  stopCode?: string;
  stoppedReason?: string;
  attachments: { type: string; status: string; details: Detail[] }[];
  containers: { name: string; exitCode?: number; networkInterfaces: { privateIpv4Address: string }[] }[];
};

installPackages({ '/usr/bin/aws': 'awscli', '/usr/lib/python3/dist-packages/boto3/__init__.py': 'python3-boto3' });
const { platform, dir } = await platformFixture();
let subnet: string;

/** Nothing of the machine's own AWS configuration takes part. */
const environment = () => ({
  ...platform.env,
  AWS_CONFIG_FILE: join(dir, 'none'),
  AWS_SHARED_CREDENTIALS_FILE: join(dir, 'none'),
  AWS_PAGER: '',
});
const words = (args: string[]) => ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', '--output', 'json', ...args];
const cli = (args: string[], env: Record<string, string> = {}): Promise<Ran> =>
  platform.command(AWS, words(args), { env: { ...environment(), ...env }, timeoutMs: 90_000 });

async function aws<T = Record<string, never>>(...args: string[]): Promise<T> {
  const ran = await cli(args);
  assert.equal(ran.code, 0, `aws ${args.join(' ')} exited ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  return (ran.stdout.trim() === '' ? {} : JSON.parse(ran.stdout)) as T;
}

const network = () => `awsvpcConfiguration={subnets=[${subnet}]}`;

describe('the AWS CLI', () => {
  let definition: string;
  let task: CliTask;
  const describeOne = async () => (await aws<{ tasks: CliTask[] }>('ecs', 'describe-tasks', '--tasks', task.taskArn)).tasks[0] as CliTask;

  it('finds the default VPC, its subnets and its security group', async () => {
    const [vpcs, subnets, groups, who] = await Promise.all([
      aws<{ Vpcs: { VpcId: string; IsDefault: boolean; CidrBlock: string }[] }>(
        'ec2',
        'describe-vpcs',
        '--filters',
        'Name=is-default,Values=true',
      ),
      aws<{ Subnets: { SubnetId: string; VpcId: string; AvailabilityZone: string }[] }>('ec2', 'describe-subnets'),
      aws<{ SecurityGroups: { GroupName: string; VpcId: string }[] }>(
        'ec2',
        'describe-security-groups',
        '--filters',
        'Name=group-name,Values=default',
      ),
      aws<{ Account: string; Arn: string }>('sts', 'get-caller-identity'),
    ]);
    assert.equal(vpcs.Vpcs.length, 1);
    assert.match(vpcs.Vpcs[0]?.VpcId ?? '', /^vpc-[0-9a-f]{17}$/);
    assert.ok(subnets.Subnets.length >= 2);
    assert.ok(subnets.Subnets.every((one) => one.VpcId === vpcs.Vpcs[0]?.VpcId));
    assert.deepEqual(
      groups.SecurityGroups.map((group) => [group.GroupName, group.VpcId]),
      [['default', vpcs.Vpcs[0]?.VpcId]],
    );
    assert.equal(who.Account, ACCOUNT);
    subnet = subnets.Subnets[0]?.SubnetId ?? '';
  });

  it('registers, runs, waits and describes; the interface is the one inside', async () => {
    const path = join(dir, 'definition.json');
    const logConfiguration = {
      logDriver: 'awslogs',
      options: { 'awslogs-group': '/cli', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'c', 'awslogs-create-group': 'true' },
    };
    const text = "trap 'exit 0' TERM; ip -4 -o addr show eth0; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.25; done";
    const container = { name: 'main', image: 'busybox', command: ['sh', '-c', text], logConfiguration };
    writeFileSync(
      path,
      JSON.stringify({
        family: 'cli',
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: '256',
        memory: '512',
        executionRoleArn: `arn:aws:iam::${ACCOUNT}:role/x`,
        containerDefinitions: [container],
      }),
    );
    const registered = await aws<{ taskDefinition: { taskDefinitionArn: string } }>(
      'ecs',
      'register-task-definition',
      '--cli-input-json',
      `file://${path}`,
    );
    definition = registered.taskDefinition.taskDefinitionArn;
    assert.equal(definition, `arn:aws:ecs:us-east-1:${ACCOUNT}:task-definition/cli:1`);
    const ran = await aws<{ tasks: CliTask[]; failures: [] }>(
      'ecs',
      'run-task',
      '--task-definition',
      'cli',
      '--launch-type',
      'FARGATE',
      '--network-configuration',
      network(),
      '--started-by',
      'me',
    );
    assert.deepEqual(ran.failures, []);
    task = ran.tasks[0] as CliTask;
    await aws('ecs', 'wait', 'tasks-running', '--tasks', task.taskArn);
    task = await describeOne();
    const detail = (name: string) => task.attachments[0]?.details.find((one) => one.name === name)?.value;
    const ip = detail('privateIPv4Address') ?? '';
    assert.equal(task.attachments[0]?.type, 'ElasticNetworkInterface');
    assert.equal(detail('subnetId'), subnet);
    assert.equal(task.containers[0]?.networkInterfaces[0]?.privateIpv4Address, ip);
    const { NetworkInterfaces: interfaces } = await aws<{
      NetworkInterfaces: { PrivateIpAddress: string; NetworkInterfaceId: string; SubnetId: string }[];
    }>('ec2', 'describe-network-interfaces');
    assert.deepEqual(
      interfaces.map((one) => [one.NetworkInterfaceId, one.PrivateIpAddress, one.SubnetId]),
      [[detail('networkInterfaceId'), ip, subnet]],
    );
    const { events } = await aws<{ events: { message: string }[] }>(
      'logs',
      'filter-log-events',
      '--log-group-name',
      '/cli',
      '--filter-pattern',
      'inet',
    );
    assert.match(events[0]?.message ?? '', new RegExp(`inet ${ip}[/ ]`));
  });

  it('tails and follows the log', async () => {
    const child = spawn(AWS, words(['logs', 'tail', '/cli', '--follow', '--since', '1m', '--format', 'short']), {
      env: { ...process.env, ...environment(), PYTHONUNBUFFERED: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Asked for now: one that has ended by itself says so only once.
    const closed = once(child, 'close');
    try {
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
      const last = () => {
        assert.equal(child.exitCode, null, 'the tail ended by itself');
        return Number(/line (\d+)\s*$/.exec(said.trim())?.[1] ?? 0);
      };
      const first = await until('the first lines', async () => last() > 0 && last());
      await until('later lines', async () => last() > first + 4);
      const seen = [...said.matchAll(/line (\d+)/g)].map(([, n]) => Number(n));
      assert.deepEqual(
        seen,
        seen.map((_, index) => index + 1),
        'lines are missing, double or out of order',
      );
    } finally {
      child.kill('SIGINT');
      await closed;
    }
  });

  it('counts what a task prints, by a metric filter', async () => {
    const transformation = 'metricName=Lines,metricNamespace=Cli,metricValue=1,unit=Count';
    const filter = ['--log-group-name', '/cli', '--filter-name', 'lines', '--filter-pattern', '%^line [0-9]+%'];
    await aws('logs', 'put-metric-filter', ...filter, '--metric-transformations', transformation);
    const metric = ['--namespace', 'Cli', '--metric-name', 'Lines', '--statistics', 'Sum', '--period', '3600'];
    const [start, end] = [-7200_000, 7200_000].map((ms) => new Date(Date.now() + ms).toISOString());
    await until('a count of its lines', async () => {
      const words = [...metric, '--start-time', start ?? '', '--end-time', end ?? ''];
      const { Datapoints: points } = await aws<{ Datapoints: { Sum: number; Unit: string }[] }>(
        'cloudwatch',
        'get-metric-statistics',
        ...words,
      );
      return points.some(({ Sum, Unit }) => Sum > 0 && Unit === 'Count');
    });
  });

  it('has an alarm ring by the states of others', async () => {
    const metric = ['--namespace', 'Cli', '--metric-name', 'Never', '--statistic', 'Sum', '--period', '60', '--evaluation-periods', '1'];
    const bound = ['--threshold', '1', '--comparison-operator', 'GreaterThanThreshold', '--treat-missing-data', 'ignore'];
    await aws('cloudwatch', 'put-metric-alarm', '--alarm-name', 'cli one', ...metric, ...bound);
    await aws(
      'cloudwatch',
      'put-composite-alarm',
      '--alarm-name',
      'cli-all',
      '--alarm-rule',
      'AT_LEAST(100%, ALARM, ("cli one")) AND TRUE',
    );
    await aws('cloudwatch', 'set-alarm-state', '--alarm-name', 'cli one', '--state-value', 'ALARM', '--state-reason', 'a test');
    const words = ['--alarm-names', 'cli-all', '--alarm-types', 'CompositeAlarm'];
    await until('the composite alarm', async () => {
      const { CompositeAlarms: found } = await aws<{ CompositeAlarms: { StateValue: string }[] }>(
        'cloudwatch',
        'describe-alarms',
        ...words,
      );
      return found[0]?.StateValue === 'ALARM';
    });
    await aws('cloudwatch', 'delete-alarms', '--alarm-names', 'cli-all', 'cli one');
  });

  it('stops and waits', async () => {
    await aws('ecs', 'stop-task', '--task', task.taskArn, '--reason', 'enough');
    await aws('ecs', 'wait', 'tasks-stopped', '--tasks', task.taskArn);
    task = await describeOne();
    assert.deepEqual([task.lastStatus, task.stopCode, task.stoppedReason], ['STOPPED', 'UserInitiated', 'enough']);
    assert.equal(task.containers[0]?.exitCode, 0);
  });

  it('lists, page by page', async () => {
    await Promise.all(
      [1, 2, 3].map(() => aws('ecs', 'deregister-task-definition', '--task-definition', definition).catch(() => undefined)),
    );
    const names = ['one', 'two', 'three'];
    await Promise.all(names.map((name) => aws('ecs', 'create-cluster', '--cluster-name', name)));
    const [clusters, stopped, families, inactive, groups] = await Promise.all([
      aws<{ clusterArns: string[] }>('ecs', 'list-clusters', '--page-size', '2'),
      aws<{ taskArns: string[] }>('ecs', 'list-tasks', '--desired-status', 'STOPPED', '--page-size', '1'),
      aws<{ families: string[] }>('ecs', 'list-task-definition-families', '--status', 'ALL'),
      aws<{ taskDefinitionArns: string[] }>('ecs', 'list-task-definitions', '--status', 'INACTIVE', '--page-size', '1'),
      aws<{ logGroups: { logGroupName: string }[] }>('logs', 'describe-log-groups', '--page-size', '1'),
    ]);
    assert.deepEqual(clusters.clusterArns.map((arn) => arn.split('/')[1]).toSorted(), ['default', ...names].toSorted());
    assert.deepEqual(stopped.taskArns, [task.taskArn]);
    assert.deepEqual(families.families, ['cli']);
    assert.deepEqual(inactive.taskDefinitionArns, [definition]);
    assert.deepEqual(
      groups.logGroups.map((group) => group.logGroupName),
      ['/cli'],
    );
  });

  it('sees the same name in two regions as two clusters', async () => {
    const away = ['--region', 'eu-central-1'];
    const { cluster } = await aws<{ cluster: { clusterArn: string } }>(
      'ecs',
      'create-cluster',
      '--cluster-name',
      'one',
      '--tags',
      'key=where,value=away',
      ...away,
    );
    assert.equal(cluster.clusterArn, `arn:aws:ecs:eu-central-1:${ACCOUNT}:cluster/one`);
    await aws('ecs', 'delete-cluster', '--cluster', 'one', ...away);
    const here = await aws<{ clusters: { status: string }[] }>('ecs', 'describe-clusters', '--clusters', 'one');
    assert.deepEqual(
      here.clusters.map((one) => one.status),
      ['ACTIVE'],
    );
  });
});

describe('aws s3', () => {
  const s3 = async (...args: string[]): Promise<string> => {
    const ran = await cli(['s3', ...args]);
    assert.equal(ran.code, 0, `aws s3 ${args.join(' ')} exited ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
    return ran.stdout;
  };

  it('copies there and back, large files in parts, whole directories, and removes them', async () => {
    const [from, to] = [join(dir, 's3-from'), join(dir, 's3-to')];
    mkdirSync(join(from, 'sub'), { recursive: true });
    const large = randomBytes(9 * 1024 * 1024);
    writeFileSync(join(from, 'large'), large);
    writeFileSync(join(from, 'sub/small & ö.txt'), 'small');
    await s3('mb', 's3://cli-bucket');
    await s3('sync', from, 's3://cli-bucket/dir');
    const [listed, url] = await Promise.all([
      s3('ls', 's3://cli-bucket', '--recursive'),
      s3('presign', 's3://cli-bucket/dir/sub/small & ö.txt'),
      s3('cp', 's3://cli-bucket/dir', to, '--recursive'),
    ]);
    assert.match(listed, / 9437184 dir\/large\n.* 5 dir\/sub\/small & ö\.txt/);
    assert.ok(readFileSync(join(to, 'large')).equals(large));
    assert.equal(readFileSync(join(to, 'sub/small & ö.txt'), 'utf8'), 'small');
    assert.equal(await (await fetch(url.trim())).text(), 'small');
    await s3('rb', 's3://cli-bucket', '--force');
    const gone = await cli(['s3', 'ls', 's3://cli-bucket']);
    assert.match(gone.stderr, /\(NoSuchBucket\)/);
  });
});

describe('the AWS CLI is told', () => {
  const refused = async (text: RegExp, args: string[], env: Record<string, string> = {}) => {
    const ran = await cli(args, env);
    assert.equal(ran.code, SERVICE_ERROR, `${ran.code} ${ran.stdout} ${ran.stderr}`);
    assert.match(ran.stderr, text);
  };

  it('that its key is unknown, or its secret wrong, in each service’s words', async () => {
    const stranger = { AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA' };
    const forger = { AWS_SECRET_ACCESS_KEY: 'wrong' };
    await Promise.all([
      refused(
        /\(UnrecognizedClientException\) when calling the ListTasks operation: The security token included in the request is invalid\./,
        ['ecs', 'list-tasks'],
        stranger,
      ),
      refused(
        /\(InvalidSignatureException\) when calling the ListTasks operation: The request signature we calculated does not match/,
        ['ecs', 'list-tasks'],
        forger,
      ),
      refused(/\(InvalidClientTokenId\) when calling the GetCallerIdentity/, ['sts', 'get-caller-identity'], stranger),
      refused(/\(SignatureDoesNotMatch\) when calling the GetCallerIdentity/, ['sts', 'get-caller-identity'], forger),
      refused(/\(AuthFailure\) when calling the DescribeVpcs/, ['ec2', 'describe-vpcs'], forger),
    ]);
  });

  it('what is not there, and what is not yet there', async () => {
    await Promise.all([
      refused(/\(ClusterNotFoundException\) when calling the ListTasks operation: Cluster not found\./, [
        'ecs',
        'list-tasks',
        '--cluster',
        'nowhere',
      ]),
      refused(/\(ClientException\) when calling the DescribeTaskDefinition operation: Unable to describe task definition\./, [
        'ecs',
        'describe-task-definition',
        '--task-definition',
        'nothing',
      ]),
      refused(/\(UnsupportedOperationException\) .*DiscoverPollEndpoint/, ['ecs', 'discover-poll-endpoint']),
      refused(/\(UnsupportedOperation\) .*CreateNatGateway/, ['ec2', 'create-nat-gateway', '--subnet-id', 'subnet-0123456789abcdef0']),
    ]);
  });

  it('that there is no room, as a failure beside the tasks', async () => {
    await aws(
      'ecs',
      'register-task-definition',
      '--family',
      'huge',
      '--requires-compatibilities',
      'FARGATE',
      '--network-mode',
      'awsvpc',
      '--cpu',
      '16384',
      '--memory',
      '122880',
      '--container-definitions',
      '[{"name":"a","image":"busybox"}]',
    );
    const { tasks, failures } = await aws<{ tasks: unknown[]; failures: { reason: string }[] }>(
      'ecs',
      'run-task',
      '--task-definition',
      'huge',
      '--launch-type',
      'FARGATE',
      '--network-configuration',
      network(),
    );
    assert.deepEqual(tasks, []);
    assert.match(
      failures[0]?.reason ?? '',
      /^Capacity is unavailable at this time\. Please try again later or in a different availability zone/,
    );
  });
});

const BOTO3 = `
import boto3, json, os, sys
ecs = boto3.client('ecs', endpoint_url=os.environ['AWS_ENDPOINT_URL'])
logs = boto3.client('logs', endpoint_url=os.environ['AWS_ENDPOINT_URL'])

# Debian's botocore is older than RunTask's clientToken: what it sends is changed just before it is signed.
token = {}
def with_token(params, **_):
    if token: params['body'] = json.dumps({**json.loads(params['body']), **token}).encode()
ecs.meta.events.register('before-call.ecs.RunTask', with_token)

options = {'awslogs-group': '/boto', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'b', 'awslogs-create-group': 'true'}
container = {'name': 'main', 'image': 'busybox', 'command': ['sh', '-c', 'for i in $(seq 30); do echo $i; done; exit 6'],
             'logConfiguration': {'logDriver': 'awslogs', 'options': options}}
ecs.register_task_definition(family='boto', requiresCompatibilities=['FARGATE'], networkMode='awsvpc', cpu='256', memory='512',
                             executionRoleArn='arn:aws:iam::123456789012:role/x', containerDefinitions=[container])
def run(**more):
    return [t['taskArn'] for t in ecs.run_task(taskDefinition='boto', launchType='FARGATE',
            networkConfiguration={'awsvpcConfiguration': {'subnets': [sys.argv[1]]}}, **more)['tasks']]
token = {'clientToken': 'only-once'}
first = run(count=3)
again = run(count=3)
conflict = None
try: run(count=2)
except ecs.exceptions.ClientError as error: conflict = error.response['Error']['Code']
token = {}
ecs.get_waiter('tasks_stopped').wait(tasks=first, WaiterConfig={'Delay': 1, 'MaxAttempts': 60})
stopped = ecs.describe_tasks(tasks=first)['tasks']
pages = list(ecs.get_paginator('list_tasks').paginate(family='boto', desiredStatus='STOPPED', PaginationConfig={'PageSize': 2}))
messages = [e['message'] for p in logs.get_paginator('filter_log_events').paginate(
    logGroupName='/boto', PaginationConfig={'PageSize': 7}) for e in p['events']]
missing = None
try: ecs.list_tasks(cluster='nowhere')
except ecs.exceptions.ClusterNotFoundException as error: missing = str(error)
print(json.dumps({'first': first, 'again': again, 'conflict': conflict, 'missing': missing,
  'exits': [t['containers'][0]['exitCode'] for t in stopped], 'pages': [len(p['taskArns']) for p in pages], 'messages': messages}))
`;

it('boto3 runs tasks once per token, waits, and pages', async () => {
  const path = join(dir, 'tasks.py');
  writeFileSync(path, BOTO3);
  const ran = await platform.command('/usr/bin/python3', [path, subnet], { env: environment(), timeoutMs: 90_000 });
  assert.equal(ran.code, 0, ran.stderr);
  const told = JSON.parse(ran.stdout) as {
    first: string[];
    again: string[];
    conflict: string;
    missing: string;
    exits: number[];
    pages: number[];
    messages: string[];
  };
  assert.equal(told.first.length, 3);
  assert.deepEqual(told.again, told.first);
  assert.equal(told.conflict, 'ConflictException');
  assert.match(told.missing, /Cluster not found\./);
  assert.deepEqual(told.exits, [6, 6, 6]);
  assert.deepEqual(told.pages, [2, 1]);
  const all = [1, 2, 3].flatMap(() => Array.from({ length: 30 }, (_, n) => String(n + 1)));
  assert.deepEqual(told.messages.toSorted(), all.toSorted());
});
