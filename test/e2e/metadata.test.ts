/** The task's own endpoints at 169.254.170.2, asked from inside a task of each kind of sandbox. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { DescribeTasksCommand, ECSClient, StopTaskCommand } from '@aws-sdk/client-ecs';
import type { ContainerDefinition, Task } from '@aws-sdk/client-ecs';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { addressOf, script, taskId } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { assertObeyed, importWhole, systemControls, wholeDefinition, wholeOverrides } from './whole-definition.ts';

const PATIENCE_S = 90;
const kinds = ['container', 'gvisor', 'microvm'] as const;

const { platform, sdk, dir, ending } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 10 });
const iam = new IAMClient(sdk.config);
ending.defer(() => iam.destroy());
/** A role of tasks that may do this. */
async function taskRole(name: string, Action: string[]): Promise<string> {
  const document = (statement: object) => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
  const trust = document({ Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' });
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: trust }));
  await iam.send(new PutRolePolicyCommand({ RoleName: name, PolicyName: 'p', PolicyDocument: document({ Action, Resource: '*' }) }));
  return Role?.Arn ?? '';
}
// From the first role on all that tasks name must be there, as on AWS.
const execution = await taskRole('ecsTaskExecutionRole', [
  'logs:CreateLogGroup',
  'logs:CreateLogStream',
  'logs:PutLogEvents',
  's3:GetObject',
]);
const reader = await taskRole('reader', ['ecs:DescribeTasks']);

/** A request by hand, since busybox's wget shows no refusal's body: prints `NAME STATUS BODY`. */
const shell = `
ask() { # NAME METHOD PATH [BODY]
  body="$4"
  printf '%s %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: %s\\r\\n\\r\\n%s' "$2" "$3" "\${#body}" "$body" |
    nc -w 10 169.254.170.2 80 | tr -d '\\r' | awk -v n="$1" 'NR==1 {s=$2} b {print n, s, $0} /^$/ {b=1} END {if (!b) print n, "none"}'
}
V4=\${ECS_CONTAINER_METADATA_URI_V4#http://169.254.170.2}
V3=\${ECS_CONTAINER_METADATA_URI#http://169.254.170.2}
API=\${ECS_AGENT_URI#http://169.254.170.2}
`;

type Said = { status: number; text: string; json: () => Record<string, never> };

async function said(task: Task, container = 'main'): Promise<Map<string, Said>> {
  const lines = await until(
    'it has asked',
    async () => {
      const all = await sdk.lines(task, container).catch(() => [] as string[]);
      return all.includes('done') && all;
    },
    PATIENCE_S * 1000,
  );
  return new Map(
    lines.map((line) => {
      const [, name = '', status = '0', text = ''] = /^(\S+) (\d+) (.*)$/.exec(line) ?? [];
      return [name, { status: Number(status), text, json: () => JSON.parse(text) as Record<string, never> }];
    }),
  );
}

const inKind = (kind: string) => ({
  tags: [
    { key: 'berth:isolation', value: kind },
    { key: 'team', value: 'red' },
  ],
});
const faultyFirst = { enableFaultInjection: true, taskRoleArn: reader, cpu: '512', memory: '1024' };

/** The task's own credentials do what its role may, and nothing else. */
async function assertReads(credentials: Record<string, string>, task: Task): Promise<void> {
  const { RoleArn, AccessKeyId = '', SecretAccessKey = '', Token = '', Expiration = '' } = credentials;
  assert.equal(RoleArn, reader);
  assert.ok(Date.parse(Expiration) > Date.now() + 3600_000, Expiration);
  const ecs = new ECSClient({
    ...sdk.config,
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token },
  });
  try {
    const { tasks } = await ecs.send(new DescribeTasksCommand({ tasks: [task.taskArn ?? ''] }));
    assert.equal(tasks?.length, 1);
    const text = `User: arn:aws:sts::123456789012:assumed-role/reader/${taskId(task)} is not authorized to perform: ecs:StopTask on resource: ${task.taskArn} because no identity-based policy allows the ecs:StopTask action`; // prettier-ignore
    await assert.rejects(ecs.send(new StopTaskCommand({ task: task.taskArn })), { name: 'AccessDeniedException', message: text });
  } finally {
    ecs.destroy();
  }
}

describe('the endpoints of a task', () => {
  const asks = `${shell}
    sleep 1000 & # something to count
    i=0; until [ "$(ask run GET $V4 | grep -c '"KnownStatus":"RUNNING"')" = 1 ] || [ $i = 50 ]; do sleep 0.2; i=$((i+1)); done
    ask container GET $V4
    ask container3 GET $V3
    ask task GET $V4/task
    ask task3 GET $V3/task
    ask tags GET $V4/taskWithTags
    ask stats GET $V4/stats
    ask taskstats GET $V4/task/stats
    ask unknown GET /v4/0123456789abcdef0123456789abcdef-0000000000/task
    ask nopage GET /v5/x
    ask credentials GET /v2/credentials/abc
    ask nocredentials GET /v2/credentials
    ask role GET $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    ask protection GET $API/task-protection/v1/state
    ask badprotection PUT $API/task-protection/v1/state '{"ProtectionEnabled":true,"X":1}'
    ask off POST $API/fault/v1/network-packet-loss/status
    ask nofields POST $API/fault/v1/network-blackhole-port/start '{"Port":80}'
    ask latency POST $API/fault/v1/network-latency/start '{"DelayMilliseconds":900,"JitterMilliseconds":10,"Sources":["169.254.169.0/24"]}'
    before=$(cut -d. -f1 /proc/uptime)$(cut -d. -f2 /proc/uptime | cut -c1-2)
    nslookup host.invalid 169.254.169.253 >/dev/null 2>&1
    echo "later 0 $(($(cut -d. -f1 /proc/uptime)$(cut -d. -f2 /proc/uptime | cut -c1-2) - before))"
    ask late POST $API/fault/v1/network-latency/status
    ask nolatency POST $API/fault/v1/network-latency/stop
    ask badsource POST $API/fault/v1/network-packet-loss/start '{"LossPercent":10,"Sources":["x; drop"]}'
    hole='{"Port":8080,"Protocol":"tcp","TrafficType":"egress"}'
    ask before POST $API/fault/v1/network-blackhole-port/status "$hole"
    ask start POST $API/fault/v1/network-blackhole-port/start "$hole"
    ask again POST $API/fault/v1/network-blackhole-port/start "$hole"
    ask status POST $API/fault/v1/network-blackhole-port/status "$hole"
    ask stop POST $API/fault/v1/network-blackhole-port/stop "$hole"
    ask after POST $API/fault/v1/network-blackhole-port/status "$hole"
    ask loss POST $API/fault/v1/network-packet-loss/start '{"LossPercent":100,"Sources":["0.0.0.0/0"]}'
    ask twice POST $API/fault/v1/network-packet-loss/start '{"LossPercent":10,"Sources":["10.0.0.0/8"]}'
    echo "dns 0 $(timeout 3 nslookup host.invalid 169.254.169.253 >/dev/null 2>&1; echo $?)"
    ask healed POST $API/fault/v1/network-packet-loss/stop
    echo done; exec sleep 1000`;

  for (const kind of kinds) {
    it(`tell a task in a ${kind} sandbox who it is and what it uses, and break its network at its wish`, async () => {
      const definition = await sdk.register(
        `self-${kind}`,
        [script(asks, { dockerLabels: { a: 'b' }, portMappings: [{ containerPort: 80 }] }), script('exec sleep 1000', { name: 'other' })],
        faultyFirst,
      );
      const [task] = await sdk.running(await sdk.run(definition, inKind(kind)), PATIENCE_S);
      assert.ok(task);
      const answers = await said(task);
      const get = (name: string) => answers.get(name) ?? assert.fail(`no answer ${name}: ${[...answers.keys()].join(' ')}`);
      const main = task.containers?.find((one) => one.name === 'main');

      const container = get('container').json() as Record<string, unknown>;
      assert.equal(container['DockerId'], main?.runtimeId);
      assert.match(String(container['DockerId']), /^[0-9a-f]{32}-\d{10}$/);
      assert.equal(container['ContainerARN'], main?.containerArn);
      assert.equal(container['KnownStatus'], 'RUNNING');
      assert.equal((container['Labels'] as Record<string, string>)['a'], 'b');
      assert.equal((container['Labels'] as Record<string, string>)['com.amazonaws.ecs.task-arn'], task.taskArn);
      assert.deepEqual(container['LogOptions'], {
        'awslogs-create-group': 'true',
        'awslogs-group': '/e2e',
        'awslogs-region': 'us-east-1',
        'awslogs-stream': `e2e/main/${taskId(task)}`,
      });
      const [network] = container['Networks'] as Record<string, unknown>[];
      assert.deepEqual(network?.['IPv4Addresses'], [addressOf(task)]);
      assert.equal(network?.['MACAddress'], task.attachments?.[0]?.details?.find((one) => one.name === 'macAddress')?.value);
      assert.equal('MACAddress' in ((get('container3').json()['Networks'] as unknown as Record<string, unknown>[])[0] ?? {}), false);

      const whole = get('task').json() as Record<string, unknown>;
      assert.equal(whole['TaskARN'], task.taskArn);
      assert.equal(whole['Cluster'], task.clusterArn);
      assert.equal(whole['AvailabilityZone'], task.availabilityZone);
      assert.deepEqual(whole['Limits'], { CPU: 0.5, Memory: 1024 });
      assert.deepEqual(
        (whole['Containers'] as { Name: string }[]).map(({ Name }) => Name),
        ['main', 'other'],
      );
      assert.equal(whole['FaultInjectionEnabled'], true);
      assert.equal('FaultInjectionEnabled' in get('task3').json(), false);
      assert.equal('TaskTags' in whole, false);
      const storage = whole['EphemeralStorageMetrics'] as { Utilized: number; Reserved: number };
      assert.equal(storage.Reserved, 20 * 1024);
      assert.ok(storage.Utilized >= 1 && storage.Utilized < 100, JSON.stringify(storage));
      assert.equal('EphemeralStorageMetrics' in get('task3').json(), false);
      const drift = whole['ClockDrift'] as Record<string, unknown>;
      assert.match(String(drift['ClockSynchronizationStatus']), /^(NOT_)?SYNCHRONIZED$/);
      assert.match(String(drift['ReferenceTimestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.ok(Number(drift['ClockErrorBound']) >= 0, JSON.stringify(drift));
      assert.equal('ClockDrift' in get('task3').json(), false);
      assert.deepEqual(get('tags').json()['TaskTags'], { 'berth:isolation': kind, team: 'red' });

      type Stats = {
        cpu_stats: {
          cpu_usage: { total_usage: number; usage_in_usermode: number; usage_in_kernelmode: number };
          throttling_data: { periods: number };
        };
        memory_stats: { usage: number; stats: Record<string, number> };
        network_rate_stats: object;
        id: string;
      };
      const stats = get('stats').json() as unknown as Stats;
      assert.equal(stats.id, main?.runtimeId);
      assert.ok(stats.cpu_stats.cpu_usage.total_usage > 0 && stats.memory_stats.usage > 0, JSON.stringify(stats));
      if (kind !== 'gvisor') {
        // Which of a sandbox's several containers it was, only gVisor's own kernel can tell, and that in one sum.
        const { usage_in_usermode: user, usage_in_kernelmode: system, total_usage: total } = stats.cpu_stats.cpu_usage;
        assert.ok(user + system > 0 && user + system < 2 * total, JSON.stringify(stats.cpu_stats));
        assert.ok(Object.keys(stats.memory_stats.stats).length > 10, JSON.stringify(stats.memory_stats));
      }
      assert.deepEqual(Object.keys(stats.network_rate_stats), ['rx_bytes_per_sec', 'tx_bytes_per_sec']);
      assert.deepEqual(Object.keys(get('taskstats').json()).sort(), (task.containers ?? []).map((one) => one.runtimeId).sort());

      const told = Object.fromEntries([...answers].filter(([name]) => !['run', 'done'].includes(name)).map(([name, one]) => [name, one]));
      const brief = (name: string) => [told[name]?.status, told[name]?.text];
      assert.deepEqual([get('unknown').status, typeof get('unknown').json()], [404, 'string']);
      assert.deepEqual(brief('nopage'), [404, '404 page not found']);
      assert.equal(get('credentials').json()['code'], 'InvalidIdInRequest');
      assert.equal(get('nocredentials').json()['code'], 'NoIdInRequest');
      await assertReads(get('role').json(), task);
      assert.equal((get('protection').json()['failure'] as unknown as { Reason: string }).Reason, 'TASK_NOT_VALID');
      assert.equal(get('badprotection').status, 400);
      assert.deepEqual(brief('off'), [200, '{"Status":"not-running"}']);
      assert.deepEqual(brief('nofields'), [400, '{"Error":"required parameter Protocol is missing"}']);
      // A host's kernel may lack netem; a microVM's has it.
      if (kind === 'microvm' || get('latency').status === 200) {
        assert.deepEqual(
          [brief('latency'), brief('late')],
          [
            [200, '{"Status":"running"}'],
            [200, '{"Status":"running"}'],
          ],
        );
        assert.ok(Number(get('later').text) >= 89, `a name takes ${get('later').text} hundredths of a second`);
      } else {
        assert.equal(get('latency').status, 500);
        assert.match(get('latency').text, /network-latency is not supported in this task's sandbox .*sch_netem|sch_prio/);
        assert.deepEqual(brief('late'), [200, '{"Status":"not-running"}']);
      }
      assert.deepEqual(brief('nolatency'), [200, '{"Status":"stopped"}']);
      assert.deepEqual(brief('badsource'), [400, '{"Error":"invalid value x; drop for parameter Sources"}']);
      for (const [name, status] of Object.entries({
        before: 'not-running',
        start: 'running',
        again: 'running',
        status: 'running',
        stop: 'stopped',
        after: 'not-running',
      })) {
        assert.deepEqual(brief(name), [200, JSON.stringify({ Status: status })], name);
      }
      assert.equal(get('loss').status, 200);
      assert.deepEqual(brief('twice'), [409, '{"Error":"There is already one network packet loss fault running"}']);
      assert.notEqual(get('dns').text, '0', 'a lost question is not answered');
      assert.equal(get('healed').status, 200);
      await sdk.stop([task]);
    });
  }

  it('give no credentials of a role that is not there or trusts nobody here, nor logs that the execution role may not write', async () => {
    type Change = { containers?: Partial<ContainerDefinition>[]; taskRoleArn?: string; executionRoleArn?: string };
    const ended = async ({ containers, ...change }: Change) => {
      const definition = await sdk.register('roles', [script('exec sleep 1000', containers?.[0])], change);
      const [task] = await sdk.stopped(await sdk.run(definition));
      return task?.stoppedReason ?? '';
    };
    const absent = 'arn:aws:iam::123456789012:role/nobody';
    const text = (role: string) => `ECS was unable to assume the role '${role}' that was provided for this task.`;
    assert.ok((await ended({ taskRoleArn: absent })).includes(text(absent)));
    assert.match(await ended({ executionRoleArn: reader }), /AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role\/reader\/[0-9a-f]{32} is not authorized to perform: logs:CreateLogGroup on resource: arn:aws:logs:us-east-1:123456789012:log-group:\/e2e:log-stream: because no identity-based policy allows/); // prettier-ignore
    const denied = await ended({ executionRoleArn: execution, containers: [{ secrets: [{ name: 'A', valueFrom: '/none' }] }] });
    assert.match(denied, /^ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time\(s\): AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role\/ecsTaskExecutionRole\/[0-9a-f]{32} is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:123456789012:parameter\/none because no identity-based policy allows/); // prettier-ignore
  });

  it('are closed to other tasks, and bounded', async () => {
    const definition = await sdk.register(
      'victim',
      [script(`echo "id 0 $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"; echo done; exec sleep 1000`)],
      { taskRoleArn: reader },
    );
    const [victim] = await sdk.running(await sdk.run(definition));
    assert.ok(victim);
    const id = victim.containers?.[0]?.runtimeId ?? '';
    const credentials = (await said(victim)).get('id')?.text ?? '';
    assert.match(credentials, /^\/v2\/credentials\/[0-9a-f-]{36}$/);
    const spy = await sdk.toEnd('spy', [
      script(`${shell}
        ask own GET $V4/task
        ask their-credentials GET ${credentials}
        ask theirs GET /v4/${id}/task
        ask their-stats GET /v4/${id}/task/stats
        ask their-protection PUT /api/${id}/task-protection/v1/state '{"ProtectionEnabled":true}'
        ask their-fault POST /api/${id}/fault/v1/network-packet-loss/start '{"LossPercent":100,"Sources":["0.0.0.0/0"]}'
        ask off POST $API/fault/v1/network-packet-loss/start '{"LossPercent":100,"Sources":["0.0.0.0/0"]}'
        big=$(head -c 20000 /dev/zero | tr '\\0' x)
        ask big PUT $API/task-protection/v1/state "$big"
        echo done`),
    ]);
    const answers = await said(spy.task);
    const status = (name: string) => answers.get(name)?.status;
    assert.equal(status('own'), 200);
    assert.equal(answers.get('their-credentials')?.json()['code'], 'InvalidIdInRequest');
    assert.deepEqual(['theirs', 'their-stats', 'their-protection', 'their-fault'].map(status), [404, 404, 404, 404]);
    assert.equal(status('off'), 400);
    assert.match(answers.get('off')?.text ?? '', /enableFaultInjection is not enabled for task: arn:/);
    assert.equal(status('big'), 413);
    await sdk.stop([victim]);
  });
});

describe('a definition that says all that a container can see', () => {
  before(() => importWhole(platform, sdk, dir));

  for (const kind of kinds) {
    it(`is obeyed member by member in a ${kind} sandbox`, async () => {
      const sysctls = kind !== 'gvisor';
      const { containers, change } = wholeDefinition(sysctls ? systemControls : []);
      const definition = await sdk.register(`whole-${kind}`, containers, change);
      const [task] = await sdk.running(await sdk.run(definition, { ...inKind(kind), ...wholeOverrides }), PATIENCE_S);
      assert.ok(task);
      await assertObeyed(sdk, task, { sysctls, patienceS: PATIENCE_S });
    });
  }
});
