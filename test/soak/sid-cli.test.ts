/** The current AWS CLI, out of Debian sid in a directory of its own, with nothing set but what `berth env` prints. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { platformFixture } from '../e2e/fixture.ts';
import { installPackages } from '../e2e/packages.ts';
import { until } from '../e2e/platform.ts';

const MIRROR = 'http://deb.debian.org/debian';

installPackages({ '/usr/sbin/debootstrap': 'debootstrap' });
const sid = mkdtempSync(join(tmpdir(), 'berth-sid-'));
const { platform } = await platformFixture({ afterwards: () => rmSync(sid, { recursive: true, force: true }) });

before(() => {
  execFileSync('debootstrap', ['--variant=minbase', '--include=awscli', 'sid', sid, MIRROR], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 20 * 60_000,
  });
});

const environment = () => ({
  PATH: '/usr/bin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  PYTHONUNBUFFERED: '1',
  AWS_PAGER: '',
  ...platform.env,
});
const words = (args: string[]) => [sid, '/usr/bin/aws', ...args];

function aws<T>(...args: string[]): T {
  const said = execFileSync('/usr/sbin/chroot', words([...args, '--output', 'json']), {
    encoding: 'utf8',
    env: environment(),
    timeout: 120_000,
  });
  return (said.trim() === '' ? {} : JSON.parse(said)) as T;
}

it('runs, waits, tails and stops with only the variables of berth env', async () => {
  const version = execFileSync('/usr/sbin/chroot', words(['--version']), { encoding: 'utf8', env: environment() });
  console.log(`  ${version.trim()}`);
  const [, major, minor] = /aws-cli\/(\d+)\.(\d+)/.exec(version) ?? [];
  assert.ok(Number(major) > 2 || Number(minor) >= 13, 'this CLI is too old to know AWS_ENDPOINT_URL');
  const options = { 'awslogs-group': '/sid', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 's', 'awslogs-create-group': 'true' };
  const text = "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done";
  const container = { name: 'main', image: 'busybox', command: ['sh', '-c', text], logConfiguration: { logDriver: 'awslogs', options } };
  const { Subnets } = aws<{ Subnets: { SubnetId: string }[] }>('ec2', 'describe-subnets');
  const definition = [
    '--family',
    'sid',
    '--requires-compatibilities',
    'FARGATE',
    '--network-mode',
    'awsvpc',
    '--cpu',
    '256',
    '--memory',
    '512',
  ];
  aws(
    'ecs',
    'register-task-definition',
    ...definition,
    '--execution-role-arn',
    'arn:aws:iam::123456789012:role/x',
    '--container-definitions',
    JSON.stringify([container]),
  );
  const network = `awsvpcConfiguration={subnets=[${Subnets[0]?.SubnetId}]}`;
  const token = ['--client-token', 'sid-once'];
  const run = () =>
    aws<{ tasks: { taskArn: string }[] }>(
      'ecs',
      'run-task',
      '--task-definition',
      'sid',
      '--launch-type',
      'FARGATE',
      '--network-configuration',
      network,
      ...token,
    );
  const task = run().tasks[0]?.taskArn ?? '';
  assert.equal(run().tasks[0]?.taskArn, task);
  aws('ecs', 'wait', 'tasks-running', '--tasks', task);
  const tail = spawn('/usr/sbin/chroot', words(['logs', 'tail', '/sid', '--follow', '--since', '5m', '--format', 'short']), {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Asked for now: one that has ended by itself says so only once.
  const closed = once(tail, 'close');
  let said = '';
  tail.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  try {
    await until('lines, and later lines', async () => [...said.matchAll(/line \d+/g)].length > 20, 60_000);
  } finally {
    tail.kill('SIGINT');
    await closed;
  }
  aws('ecs', 'stop-task', '--task', task);
  aws('ecs', 'wait', 'tasks-stopped', '--tasks', task);
  const { tasks } = aws<{ tasks: { stopCode: string; containers: { exitCode: number }[] }[] }>('ecs', 'describe-tasks', '--tasks', task);
  assert.deepEqual([tasks[0]?.stopCode, tasks[0]?.containers[0]?.exitCode], ['UserInitiated', 0]);
  assert.equal(aws<{ Account: string }>('sts', 'get-caller-identity').Account, '123456789012');
});

it('registers a restart policy, which starts a container again in its task', async () => {
  const log = {
    logDriver: 'awslogs',
    options: { 'awslogs-group': '/again', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 's', 'awslogs-create-group': 'true' },
  };
  // AWS's least period is a minute.
  const text = 'echo x >> /runs; n=$(wc -l < /runs); echo run $n; [ $n -lt 2 ] || exit 7; sleep 61; exit 1';
  const again = {
    name: 'main',
    image: 'busybox',
    command: ['sh', '-c', text],
    restartPolicy: { enabled: true, ignoredExitCodes: [7], restartAttemptPeriod: 60 },
    logConfiguration: log,
  };
  const definition = {
    family: 'again',
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: '256',
    memory: '512',
    executionRoleArn: 'arn:aws:iam::123456789012:role/x',
    containerDefinitions: [again],
  };
  aws('ecs', 'register-task-definition', '--cli-input-json', JSON.stringify(definition));
  const { Subnets } = aws<{ Subnets: { SubnetId: string }[] }>('ec2', 'describe-subnets');
  const network = ['--network-configuration', `awsvpcConfiguration={subnets=[${Subnets[0]?.SubnetId}]}`];
  const { tasks } = aws<{ tasks: { taskArn: string }[] }>('ecs', 'run-task', '--task-definition', 'again', '--launch-type', 'FARGATE', ...network); // prettier-ignore
  const arn = tasks[0]?.taskArn ?? '';
  aws('ecs', 'wait', 'tasks-stopped', '--tasks', arn);
  type Described = { tasks: { stopCode: string; containers: { exitCode: number }[] }[] };
  const [ended] = aws<Described>('ecs', 'describe-tasks', '--tasks', arn).tasks;
  assert.deepEqual([ended?.stopCode, ended?.containers[0]?.exitCode], ['EssentialContainerExited', 7]);
  const stream = `s/main/${arn.split('/').at(-1)}`;
  const { events } = aws<{ events: { message: string }[] }>('logs', 'get-log-events', '--log-group-name', '/again', '--log-stream-name', stream); // prettier-ignore
  assert.deepEqual(
    events.map((event) => event.message),
    ['run 1', 'run 2'],
  );
});

it('makes an Express gateway service in one call, monitors it, and removes it', async () => {
  const container = {
    image: 'busybox',
    containerPort: 80,
    command: ['sh', '-c', "mkdir /w; echo well > /w/index.html; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait"],
  };
  const { service } = aws<{ service: { serviceArn: string; activeConfigurations: { ingressPaths: { endpoint: string }[] }[] } }>(
    'ecs',
    'create-express-gateway-service',
    '--service-name',
    'shop',
    '--infrastructure-role-arn',
    'arn:aws:iam::123456789012:role/infrastructure',
    '--health-check-path',
    '/',
    '--primary-container',
    JSON.stringify(container),
    '--tags',
    'key=berth:deployment,value=ROLLING',
  );
  assert.equal(service.activeConfigurations[0]?.ingressPaths[0]?.endpoint, 'https://shop.ecs.us-east-1.berth.internal');
  aws('ecs', 'wait', 'services-stable', '--services', 'shop');
  const arn = service.serviceArn;
  // It wants a terminal to draw on, and draws until it is told to quit.
  const command = [
    'stty rows 80 cols 220;',
    '/usr/sbin/chroot',
    ...words(['ecs', 'monitor-express-gateway-service', '--service-arn', arn, '--timeout', '1']),
  ].join(' ');
  const monitor = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...environment(), TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(monitor, 'close');
  monitor.stdin.on('error', () => undefined); // where it has ended by itself
  let drawn = '';
  monitor.stdout.setEncoding('utf8').on('data', (chunk: string) => (drawn += chunk));
  try {
    await until('what was made is drawn', async () => /TargetGroup/.test(drawn) && /LoadBalancer/.test(drawn), 60_000);
  } catch (error) {
    console.log(drawn.slice(-3000));
    throw error;
  } finally {
    monitor.stdin.write('q');
    await closed;
  }
  assert.match(drawn, /targetgroup\/ecs-gateway-tg-/);
  aws('ecs', 'delete-express-gateway-service', '--service-arn', arn);
  aws('ecs', 'wait', 'services-inactive', '--services', 'shop');
  const { LoadBalancers } = aws<{ LoadBalancers: unknown[] }>('elbv2', 'describe-load-balancers');
  assert.deepEqual(LoadBalancers, []);
});
