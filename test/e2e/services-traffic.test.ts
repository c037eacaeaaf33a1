/** Services behind a load balancer under a steady load: what is started, replaced and stopped costs no request. */
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { before, describe, it } from 'node:test';
import {
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  DescribeRulesCommand,
  DescribeTargetHealthCommand,
  ModifyTargetGroupAttributesCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import {
  CreateServiceCommand,
  DescribeServicesCommand,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import type { CreateServiceCommandInput, UpdateServiceCommandInput } from '@aws-sdk/client-ecs';
import { script } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { processesOf } from './processes.ts';

const LONG_MS = 120_000;

const { platform, sdk } = await platformFixture({ maxAttempts: 20 });
const { elb } = sdk;
let vpcId: string;
before(async () => {
  vpcId = await sdk.vpc();
});

/** Answers NAME; /cgi-bin/slow after three seconds; once /cgi-bin/break was asked for, /cgi-bin/health fails. */
const server = (name: string) => {
  const cgi = (path: string, body: string) => `printf '%s\\n' '#!/bin/sh' '${body}' > /w/cgi-bin/${path}; chmod +x /w/cgi-bin/${path}`;
  const answer = (status: string, text: string) => `printf "Status: ${status}\\r\\nContent-Type: text/plain\\r\\n\\r\\n${text}"`;
  const lines = [
    'mkdir -p /w/cgi-bin',
    `echo ${name} > /w/index.html`,
    cgi('slow', `sleep 3; ${answer('200 OK', `slow ${name}`)}`),
    cgi('break', `touch /w/broken; ${answer('200 OK', 'broken')}`),
    cgi('health', `if [ -e /w/broken ]; then ${answer('500 Oh', 'bad')}; else ${answer('200 OK', 'good')}; fi`),
    "trap 'exit 0' TERM",
    'httpd -f -p 80 -h /w & wait',
  ];
  return script(lines.join('\n'), { portMappings: [{ containerPort: 80 }], linuxParameters: { initProcessEnabled: true } });
};

async function makeGroup(Name: string): Promise<string> {
  const check = {
    HealthCheckPath: '/cgi-bin/health',
    HealthCheckIntervalSeconds: 5,
    HealthCheckTimeoutSeconds: 4,
    HealthyThresholdCount: 2,
  };
  const wish = { Name, Protocol: 'HTTP' as const, Port: 80, VpcId: vpcId, TargetType: 'ip' as const, UnhealthyThresholdCount: 2, ...check };
  const arn = (await elb.send(new CreateTargetGroupCommand(wish))).TargetGroups?.[0]?.TargetGroupArn ?? '';
  const Attributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: '30' }];
  await elb.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn: arn, Attributes }));
  return arn;
}

/** A load balancer with one HTTP listener that forwards to the group; the ARN of the listener's default rule. */
async function makeBalancer(Name: string, group: string): Promise<string> {
  const { LoadBalancers } = await elb.send(new CreateLoadBalancerCommand({ Name, Subnets: (await sdk.subnets()).slice(0, 2) }));
  const { Listeners } = await elb.send(
    new CreateListenerCommand({
      LoadBalancerArn: LoadBalancers?.[0]?.LoadBalancerArn ?? '',
      Protocol: 'HTTP',
      Port: 80,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: group }],
    }),
  );
  return (await elb.send(new DescribeRulesCommand({ ListenerArn: Listeners?.[0]?.ListenerArn ?? '' }))).Rules?.[0]?.RuleArn ?? '';
}

async function create(serviceName: string, taskDefinition: string, change: Partial<CreateServiceCommandInput>): Promise<void> {
  const networkConfiguration = { awsvpcConfiguration: { subnets: await sdk.subnets() } };
  const wish = { serviceName, taskDefinition, desiredCount: 2, launchType: 'FARGATE' as const, networkConfiguration, ...change };
  await sdk.ecs.send(new CreateServiceCommand(wish));
  await deployed(serviceName);
}

const update = (service: string, change: Partial<UpdateServiceCommandInput>) =>
  sdk.ecs.send(new UpdateServiceCommand({ service, ...change }));

const events = async (name: string): Promise<string[]> =>
  ((await sdk.ecs.send(new DescribeServicesCommand({ services: [name] }))).services?.[0]?.events ?? []).map((event) => event.message ?? '');

/** Until the newest deployment is SUCCESSFUL. */
async function deployed(service: string): Promise<void> {
  const check = async () => {
    const { serviceDeployments = [] } = await sdk.ecs.send(new ListServiceDeploymentsCommand({ service }));
    const [newest] = serviceDeployments.toSorted((a, b) => Number(b.createdAt) - Number(a.createdAt));
    return newest?.status === 'SUCCESSFUL';
  };
  await until(`deployment of ${service}`, check, LONG_MS).catch(async (cause: unknown) => {
    throw new Error(`${service}: ${(await events(service)).join('\n')}`, { cause });
  });
}

async function healthOf(group: string): Promise<string[]> {
  const { TargetHealthDescriptions = [] } = await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: group }));
  return TargetHealthDescriptions.map((one) => one.TargetHealth?.State ?? '').toSorted();
}

const healthy = (group: string, count: number) =>
  until(
    `${count} healthy targets`,
    async () => (await healthOf(group)).join() === Array.from({ length: count }, () => 'healthy').join(),
    LONG_MS,
  );

type Answer = { status: number; body: string };

/** By the front door's alias, over a connection of its own; rejects when that fails. */
function visit(name: string, path = '/'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: platform.endpointPort,
      path,
      headers: { host: `${name}.localhost` },
      agent: false as const,
    };
    const call = get(options, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: body.trim() }));
      answer.on('error', reject);
    });
    call.setTimeout(30_000, () => call.destroy(new Error('no answer within 30 s')));
    call.on('error', reject);
  });
}

/** Four clients, one request after the other, while `during` goes on; what they were answered, and every failure. */
async function underLoad(name: string, during: () => Promise<void>): Promise<Map<string, number>> {
  const answers = new Map<string, number>();
  let over = false;
  const client = async () => {
    while (!over) {
      const said = await visit(name).then(
        ({ status, body }) => (status === 200 ? body : `FAILED ${status}`),
        (error: Error) => `FAILED ${error.message}`,
      );
      answers.set(said, (answers.get(said) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const clients = Array.from({ length: 4 }, client);
  try {
    await during();
    // What was done last takes its effect a moment later.
    await new Promise((resolve) => setTimeout(resolve, 2000));
  } finally {
    over = true;
    await Promise.all(clients);
  }
  const failed = [...answers].filter(([said]) => said.startsWith('FAILED'));
  assert.deepEqual(failed, [], JSON.stringify([...answers]));
  return answers;
}

const tasksOf = async (serviceName: string) => (await sdk.ecs.send(new ListTasksCommand({ serviceName }))).taskArns ?? [];

describe('a service behind a load balancer', () => {
  let group: string;
  let versions: string[];
  before(async () => {
    group = await makeGroup('web');
    await makeBalancer('web', group);
    versions = await Promise.all(['v1', 'v2', 'v3'].map((name) => sdk.register(`web-${name}`, [server(name)])));
    await create('web', versions[0] ?? '', { loadBalancers: [{ targetGroupArn: group, containerName: 'main', containerPort: 80 }] });
    await healthy(group, 2);
  });

  it('is rolled to a new revision, scaled out and in, without a failed request; events tell of its targets', async () => {
    const answers = await underLoad('web', async () => {
      await update('web', { taskDefinition: versions[1] });
      await deployed('web');
      await update('web', { desiredCount: 4 });
      await healthy(group, 4);
      await update('web', { desiredCount: 2 });
      await healthy(group, 2);
    });
    assert.ok((answers.get('v1') ?? 0) > 0 && (answers.get('v2') ?? 0) > 0, JSON.stringify([...answers]));
    assert.equal((await visit('web')).body, 'v2');
    const said = await events('web');
    for (const what of [
      /registered \d targets in \(target-group arn:/,
      /deregistered \d targets in/,
      /begun draining connections on \d tasks\./,
    ]) {
      assert.ok(
        said.some((message) => what.test(message)),
        `${what}\n${said.join('\n')}`,
      );
    }
  });

  it('lets a task that is to stop finish its requests: DEACTIVATING until then', async () => {
    const before = await tasksOf('web');
    const slow = Promise.all(Array.from({ length: 8 }, () => visit('web', '/cgi-bin/slow')));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await update('web', { desiredCount: 1 });
    await until('a task that is DEACTIVATING', async () => (await sdk.describe(before)).some((task) => task.lastStatus === 'DEACTIVATING'));
    assert.deepEqual(
      await slow,
      Array.from({ length: 8 }, () => ({ status: 200, body: 'slow v2' })),
    );
    await healthy(group, 1);
    await update('web', { desiredCount: 2 });
    await healthy(group, 2);
  });

  it('goes on while the control plane is killed in a deployment', async () => {
    await underLoad('web', async () => {
      await update('web', { taskDefinition: versions[2] });
      const victim: number = await until('the control plane', async () => processesOf(platform)?.control);
      process.kill(victim, 'SIGKILL');
      await until('another one', async () => (processesOf(platform)?.control ?? victim) !== victim, LONG_MS);
      await deployed('web');
    });
    assert.equal((await visit('web')).body, 'v3');
  });

  it('replaces a target that fails its health checks', async () => {
    await healthy(group, 2);
    const before = await tasksOf('web');
    assert.equal((await visit('web', '/cgi-bin/break')).body, 'broken');
    const replaced = async () =>
      (await tasksOf('web')).filter((arn) => !before.includes(arn)).length === 1 && (await tasksOf('web')).length === 2;
    await until('a replacement', replaced, LONG_MS);
    await healthy(group, 2);
    assert.ok((await events('web')).some((message) => message.includes('is unhealthy in (target-group arn:')));
  });
});

describe('a blue/green service', () => {
  it('shifts its traffic from one group to the other without a failed request', async () => {
    const [blue, green] = [await makeGroup('blue'), await makeGroup('green')];
    const productionListenerRule = await makeBalancer('shift', blue);
    const [one, two] = await Promise.all(['b1', 'b2'].map((name) => sdk.register(name, [server(name)])));
    const advancedConfiguration = {
      alternateTargetGroupArn: green,
      productionListenerRule,
      roleArn: 'arn:aws:iam::123456789012:role/ecsElb',
    };
    await create('shift', one ?? '', {
      deploymentConfiguration: { strategy: 'BLUE_GREEN', bakeTimeInMinutes: 0 },
      loadBalancers: [{ targetGroupArn: blue, containerName: 'main', containerPort: 80, advancedConfiguration }],
    });
    await until('an answer', async () => (await visit('shift')).body === 'b1', LONG_MS);
    const answers = await underLoad('shift', async () => {
      await update('shift', { taskDefinition: two });
      await deployed('shift');
    });
    assert.ok((answers.get('b1') ?? 0) > 0);
    assert.equal((await visit('shift')).body, 'b2');
  });
});
