/** ECS services with the stock SDK: kept at their count, replaced safely, rolled back with the reason, and gone when they are deleted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServiceDeploymentsCommand,
  DescribeServicesCommand,
  GetTaskProtectionCommand,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  UpdateServiceCommand,
  UpdateTaskProtectionCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import type { ContainerDefinition, CreateServiceCommandInput, Service, UpdateServiceCommandInput } from '@aws-sdk/client-ecs';
import { script, taskId } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';
import { containersOf, processesOf } from './processes.ts';

/** Others share the machine: what takes a second there may take many here. */
const SECONDS = 120;

const { platform, sdk } = await platformFixture({ maxAttempts: 20 });

/** Its health check passes at once, so that nobody waits the 40 seconds after which a task without one counts as healthy. */
const healthCheck = { command: ['CMD', 'true'], interval: 5, timeout: 60, retries: 10 };
const web = (change: Partial<ContainerDefinition> = {}): ContainerDefinition =>
  script('exec sleep 100000', { healthCheck, linuxParameters: { initProcessEnabled: true }, ...change });
const breaker = { deploymentCircuitBreaker: { enable: true, rollback: true } };

async function create(serviceName: string, taskDefinition: string, change: Partial<CreateServiceCommandInput> = {}): Promise<Service> {
  const networkConfiguration = { awsvpcConfiguration: { subnets: await sdk.subnets() } };
  const wish = { serviceName, taskDefinition, desiredCount: 2, launchType: 'FARGATE' as const, networkConfiguration, ...change };
  const { service } = await sdk.ecs.send(new CreateServiceCommand(wish));
  assert.ok(service);
  return service;
}

const update = (service: string, change: Partial<UpdateServiceCommandInput>) =>
  sdk.ecs.send(new UpdateServiceCommand({ service, ...change }));

async function describeService(name: string): Promise<Service> {
  const { services } = await sdk.ecs.send(new DescribeServicesCommand({ services: [name] }));
  assert.ok(services?.[0], `service ${name} is missing`);
  return services[0];
}

/** By the SDK's own waiter; fails with the service's events. */
async function stable(name: string): Promise<Service> {
  const options = { client: sdk.ecs, maxWaitTime: SECONDS, minDelay: 0.2, maxDelay: 0.5 };
  await waitUntilServicesStable(options, { services: [name] }).catch(async (cause: unknown) => {
    throw new Error(`${name} is not stable: ${said(await describeService(name)).join('\n')}`, { cause });
  });
  return await describeService(name);
}

/** Newest first. */
const said = (service: Service): string[] => (service.events ?? []).map((event) => event.message ?? '');

async function tasksOf(serviceName: string): Promise<string[]> {
  return ((await sdk.ecs.send(new ListTasksCommand({ serviceName }))).taskArns ?? []).toSorted();
}

/** The newest deployment, once it has one of these statuses. */
async function deployment(service: string, ...statuses: string[]) {
  return await until(
    `deployment of ${service} is ${statuses.join(' or ')}`,
    async () => {
      const { serviceDeployments = [] } = await sdk.ecs.send(new ListServiceDeploymentsCommand({ service }));
      const [newest] = serviceDeployments.toSorted((a, b) => Number(b.createdAt) - Number(a.createdAt));
      if (newest?.serviceDeploymentArn === undefined || !statuses.includes(newest.status ?? '')) return undefined;
      const described = await sdk.ecs.send(new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [newest.serviceDeploymentArn] }));
      return described.serviceDeployments?.[0];
    },
    SECONDS * 1000,
  );
}

describe('a service', { concurrency: true }, () => {
  it('is brought to its count, scaled, rolled to a new revision and deleted', async () => {
    const [one, two] = [await sdk.register('web', [web()]), await sdk.register('web', [web({ environment: [{ name: 'N', value: '2' }] })])];
    const made = await create('web', one);
    assert.deepEqual([made.status, made.deployments?.length, made.deployments?.[0]?.status], ['ACTIVE', 1, 'PRIMARY']);
    await stable('web');
    await deployment('web', 'SUCCESSFUL');
    const up = await describeService('web');
    assert.deepEqual([up.runningCount, up.pendingCount, up.deployments?.[0]?.rolloutState], [2, 0, 'COMPLETED']);
    assert.ok(said(up).some((message) => /^\(service web\) has started 1 tasks: \(task [0-9a-f]{32}\)\.$/.test(message)));
    const tasks = await sdk.describe(await tasksOf('web'));
    assert.deepEqual(
      tasks.map((task) => [task.group, task.startedBy, task.lastStatus, task.healthStatus]),
      tasks.map(() => ['service:web', up.deployments?.[0]?.id, 'RUNNING', 'HEALTHY']),
    );
    await until('a steady state', async () => said(await describeService('web')).includes('(service web) has reached a steady state.'));

    await update('web', { desiredCount: 4 });
    assert.equal((await stable('web')).runningCount, 4);
    await update('web', { desiredCount: 1 });
    assert.equal((await stable('web')).runningCount, 1);

    const old = await tasksOf('web');
    await update('web', { taskDefinition: two, desiredCount: 2 });
    const rolled = await stable('web');
    assert.equal(rolled.deployments?.[0]?.taskDefinition, two);
    const now = await sdk.describe(await tasksOf('web'));
    assert.ok(now.length === 2 && now.every((task) => task.taskDefinitionArn === two && !old.includes(task.taskArn ?? '')));
    const revision = (await deployment('web', 'SUCCESSFUL')).targetServiceRevision?.arn ?? '';
    assert.match(rolled.deployments?.[0]?.id ?? '', /^ecs-svc\/\d{19}$/);
    assert.equal(revision.split('/').at(-1), rolled.deployments?.[0]?.id?.split('/').at(-1));

    await assert.rejects(sdk.ecs.send(new DeleteServiceCommand({ service: 'web' })), /cannot be stopped while it is scaled above 0/);
    await sdk.ecs.send(new DeleteServiceCommand({ service: 'web', force: true }));
    await waitUntilServicesInactive({ client: sdk.ecs, maxWaitTime: SECONDS, minDelay: 0.2, maxDelay: 0.5 }, { services: ['web'] });
    assert.deepEqual(await tasksOf('web'), []);
  });

  it('replaces a task that is killed, and leaves a protected one alone', async () => {
    const [one, two] = [
      await sdk.register('kept', [web()]),
      await sdk.register('kept', [web({ environment: [{ name: 'N', value: '2' }] })]),
    ];
    await create('kept', one, { enableExecuteCommand: true });
    await stable('kept');
    const [first = '', second = ''] = await tasksOf('kept');
    for (const pid of containersOf(taskId(first))) process.kill(pid, 'SIGKILL');
    await until('another task', async () => !(await tasksOf('kept')).includes(first), SECONDS * 1000);
    assert.equal((await stable('kept')).runningCount, 2);
    const third = (await tasksOf('kept')).find((arn) => arn !== second) ?? '';
    const lastsUntil = await protectFromInside(third, true);
    const { protectedTasks } = await sdk.ecs.send(new GetTaskProtectionCommand({ cluster: 'default', tasks: [third] }));
    assert.deepEqual(protectedTasks, [{ taskArn: third, protectionEnabled: true, expirationDate: lastsUntil }]);
    await update('kept', { desiredCount: 1 });
    await stable('kept');
    assert.deepEqual(await tasksOf('kept'), [third]);
    // A deployment starts what is new beside it, and is not through while it is protected.
    await update('kept', { taskDefinition: two });
    const newer = await until('a task of the new revision', async () => {
      const found = (await sdk.describe(await tasksOf('kept'))).find((task) => task.taskDefinitionArn === two);
      return found?.healthStatus === 'HEALTHY' && found.taskArn;
    }, SECONDS * 1000); // prettier-ignore
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.deepEqual(await tasksOf('kept'), [third, newer].toSorted());
    assert.equal((await describeService('kept')).deployments?.length, 2);
    const unprotect = { cluster: 'default', tasks: [third], protectionEnabled: false };
    assert.deepEqual((await sdk.ecs.send(new UpdateTaskProtectionCommand(unprotect))).failures ?? [], []);
    await stable('kept');
    assert.deepEqual(await tasksOf('kept'), [newer]);
    await protectFromInside(newer, true);
    await update('kept', { desiredCount: 0 });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.deepEqual(await tasksOf('kept'), [newer]);
    await protectFromInside(newer, false);
    await stable('kept');
    assert.deepEqual(await tasksOf('kept'), []);
  });

  /** As its program does it, by the endpoint that it was given (busybox's wget knows no PUT); until when it lasts, about an hour or not at all. */
  async function protectFromInside(arn: string, on: boolean): Promise<Date | undefined> {
    const body = JSON.stringify({ ProtectionEnabled: on, ...(on ? { ExpiresInMinutes: 60 } : {}) });
    const text = `place=\${ECS_AGENT_URI#http://169.254.170.2}/task-protection/v1/state
      printf 'PUT %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: ${body.length}\\r\\n\\r\\n%s' $place '${body}' | nc -w 10 169.254.170.2 80 | tail -n 1`;
    const { protection } = JSON.parse(await platform.ok(['exec', taskId(arn), '--', 'sh', '-c', text])) as {
      protection: { ExpirationDate: string | null; ProtectionEnabled: boolean; TaskArn: string };
    };
    assert.deepEqual([protection.TaskArn, protection.ProtectionEnabled, protection.ExpirationDate !== null], [arn, on, on]);
    if (protection.ExpirationDate === null) return undefined;
    const lastsUntil = new Date(protection.ExpirationDate);
    assert.ok(Math.abs(lastsUntil.getTime() - Date.now() - 3600_000) < 60_000, protection.ExpirationDate);
    return lastsUntil;
  }

  const failures = [
    {
      name: 'no-image',
      broken: { image: '127.0.0.1:9/nothing:here' },
      cause: /failed to start: container 'main': CannotPullContainerError: /,
    },
    { name: 'no-command', broken: { command: ['/no/such/program'] }, cause: /failed to start: container 'main': .*\/no\/such\/program/ },
    {
      name: 'crash',
      broken: script('echo no table named orders; exit 3'),
      cause: /failed to start: container 'main' exited with code 3.* Last log lines: no table named orders$/,
    },
  ];
  for (const { name, broken, cause } of failures) {
    it(`whose new revision can’t work (${name}) goes back to the former one, and its first event says why`, async () => {
      const [good, bad] = [await sdk.register(name, [web()]), await sdk.register(name, [web(broken)])];
      await create(name, good, { desiredCount: 1, deploymentConfiguration: breaker });
      await deployment(name, 'SUCCESSFUL');
      const before = await tasksOf(name);
      const known = said(await describeService(name));
      await update(name, { taskDefinition: bad });
      const found = await deployment(name, 'ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED', 'SUCCESSFUL', 'STOPPED');
      assert.equal(found.status, 'ROLLBACK_SUCCESSFUL', found.statusReason ?? '');
      const back = await stable(name);
      assert.equal(back.taskDefinition, good);
      assert.deepEqual(await tasksOf(name), before);
      const fresh = said(back).slice(0, said(back).length - known.length);
      const causes = fresh.filter((message) => message.includes('failed to start: '));
      assert.equal(causes.length, 1, fresh.join('\n'));
      assert.match(causes[0] ?? '', cause);
      // Nothing but the start of the task stands before it.
      assert.match(fresh.at(-1) ?? '', /has started 1 tasks/);
      assert.equal(fresh.at(-2), causes[0]);
    });
  }
});

describe('the control plane is killed', () => {
  it('in the middle of a deployment, which goes on', async () => {
    const [one, two] = [await sdk.register('mid', [web()]), await sdk.register('mid', [web({ environment: [{ name: 'N', value: '2' }] })])];
    await create('mid', one, { desiredCount: 3 });
    await stable('mid');
    await update('mid', { taskDefinition: two });
    for (let n = 0; n < 3; n++) {
      const victim: number = await until('the control plane', async () => processesOf(platform)?.control);
      process.kill(victim, 'SIGKILL');
      await until('another one', async () => (processesOf(platform)?.control ?? victim) !== victim, SECONDS * 1000);
    }
    const done = await stable('mid');
    assert.deepEqual([done.runningCount, done.deployments?.[0]?.taskDefinition], [3, two]);
    await deployment('mid', 'SUCCESSFUL');
    const tasks = await sdk.describe(await tasksOf('mid'));
    assert.ok(tasks.length === 3 && tasks.every((task) => task.taskDefinitionArn === two));
  });
});
