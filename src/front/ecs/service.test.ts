import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  CreateServiceCommand,
  DeleteServiceCommand,
  DescribeServicesCommand,
  ListServicesCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
  type CreateServiceCommandInput,
  type Service,
  type UpdateServiceCommandInput,
} from '@aws-sdk/client-ecs';
import {
  addServiceTask,
  addTargetGroups,
  arn,
  deploymentOf,
  observeDeployment,
  observeService,
  observeTask,
  refused,
  revisionOf,
  serviceKey,
  startTestPlatform,
  web,
  type TestPlatform,
} from './test-platform.ts';

let platform: TestPlatform;
before(async () => {
  platform = await startTestPlatform();
});
after(() => platform?.close());

const key = serviceKey;
const network = () => ({ awsvpcConfiguration: { subnets: platform.subnets } });
const base = (name: string): CreateServiceCommandInput => ({
  serviceName: name,
  taskDefinition: 'web:1',
  desiredCount: 2,
  launchType: 'FARGATE',
  networkConfiguration: network(),
});
async function create(name: string, fields: Partial<CreateServiceCommandInput> = {}): Promise<Service> {
  const { service } = await platform.ecs.send(new CreateServiceCommand({ ...base(name), ...fields }));
  assert.ok(service);
  return service;
}
async function update(name: string, fields: Omit<UpdateServiceCommandInput, 'service'>): Promise<Service> {
  const { service } = await platform.ecs.send(new UpdateServiceCommand({ service: name, ...fields }));
  assert.ok(service);
  return service;
}
async function read(name: string): Promise<Service> {
  const { services } = await platform.ecs.send(new DescribeServicesCommand({ services: [name], include: ['TAGS'] }));
  assert.ok(services?.[0]);
  return services[0];
}

/** As if the loop had brought the newest deployment to its end. */
async function complete(name: string): Promise<void> {
  const service = await read(name);
  const id = deploymentOf(service);
  const revisionId = revisionOf(service);
  await observeDeployment(platform.store, { ...key(name), id }, { status: 'SUCCESSFUL' });
  await observeService(platform.store, key(name), { deploymentId: id, targetRevisionId: revisionId, stableRevisionId: revisionId });
}

describe('services', () => {
  it('are made with a deployment and a revision, and described at once', async () => {
    const service = await create('first', { tags: [{ key: 'a', value: 'b' }], propagateTags: 'SERVICE', enableECSManagedTags: true });
    assert.equal(service.serviceArn, arn('service/default/first'));
    assert.equal(service.status, 'ACTIVE');
    assert.equal(service.taskDefinition, arn('task-definition/web:1'));
    assert.deepEqual([service.desiredCount, service.runningCount, service.pendingCount], [2, 0, 0]);
    assert.equal(service.availabilityZoneRebalancing, 'ENABLED');
    assert.equal(service.deploymentConfiguration?.maximumPercent, 200);
    assert.equal(service.deploymentConfiguration?.minimumHealthyPercent, 100);
    assert.deepEqual(service.deploymentConfiguration?.deploymentCircuitBreaker, { enable: false, rollback: false });
    const [deployment] = service.deployments ?? [];
    assert.equal(deployment?.status, 'PRIMARY');
    assert.match(deployment?.id ?? '', /^ecs-svc\/\d{19}$/);
    assert.equal(deployment?.rolloutState, 'IN_PROGRESS');
    assert.equal(deployment?.rolloutStateReason, `ECS deployment ${deployment?.id} in progress.`);
    assert.match(deploymentOf(service), /^[\w-]{21}$/);
    const revision = await platform.store.read((tx) => tx.serviceRevisions.get({ ...key('first'), id: revisionOf(service) }));
    assert.partialDeepStrictEqual(revision?.desired.template.containers[0]?.log, { stream: 'p/web/' });
    assert.deepEqual(revision?.desired.taskTags, [
      { key: 'a', value: 'b' },
      { key: 'aws:ecs:clusterName', value: 'default' },
      { key: 'aws:ecs:serviceName', value: 'first' },
    ]);
    assert.deepEqual((await read('first')).deployments, service.deployments);
  });

  it('give the same answer to the same token, and refuse a name that is taken', async () => {
    const first = await create('once', { clientToken: 't' });
    assert.deepEqual((await create('once', { clientToken: 't' })).deployments?.[0]?.id, first.deployments?.[0]?.id);
    const text = 'Creation of service was not idempotent.';
    await assert.rejects(create('once', { clientToken: 't', desiredCount: 3 }), refused('InvalidParameterException', text));
    await assert.rejects(create('once'), refused('InvalidParameterException', text));
  });

  it('start a deployment for what makes other tasks, and for nothing else', async () => {
    const before = await create('changes');
    for (const fields of [
      { desiredCount: 3 },
      { taskDefinition: 'web:1' },
      { networkConfiguration: network() },
      { deploymentConfiguration: { maximumPercent: 150 } },
      { enableExecuteCommand: true, propagateTags: 'TASK_DEFINITION' as const, availabilityZoneRebalancing: 'DISABLED' as const },
    ]) {
      const service = await update('changes', fields);
      assert.equal(deploymentOf(service), deploymentOf(before), JSON.stringify(fields));
    }
    const now = await read('changes');
    assert.equal(now.deploymentConfiguration?.maximumPercent, 150);
    assert.equal(now.deploymentConfiguration?.minimumHealthyPercent, 100);
    const revision = await platform.store.read((tx) => tx.serviceRevisions.get({ ...key('changes'), id: revisionOf(now) }));
    assert.equal(revision?.desired.enableExec, true);
    assert.deepEqual(revision?.desired.taskTags, [{ key: 'team', value: 'a' }]);
    await platform.ecs.send(new RegisterTaskDefinitionCommand({ ...web, cpu: '512', memory: '1024' }));
    let last = deploymentOf(before);
    for (const fields of [
      { taskDefinition: 'web:2' },
      { forceNewDeployment: true },
      { networkConfiguration: { awsvpcConfiguration: { subnets: platform.subnets.slice(0, 1) } } },
      { platformVersion: '1.4.0' },
    ]) {
      const service = await update('changes', fields);
      assert.notEqual(deploymentOf(service), last, JSON.stringify(fields));
      last = deploymentOf(service);
      assert.equal(service.deployments?.length, 1);
      assert.equal(service.taskDefinition, arn('task-definition/web:2'));
    }
  });

  it('show the new deployment as PRIMARY and the old one while it has tasks', async () => {
    const before = await create('rolls');
    const old = revisionOf(before);
    const task = await addServiceTask(platform, key('rolls'), old);
    await complete('rolls');
    assert.equal((await read('rolls')).deployments?.[0]?.rolloutState, 'COMPLETED');
    const service = await update('rolls', { forceNewDeployment: true });
    assert.deepEqual(
      service.deployments?.map((d) => [d.status, d.rolloutState, d.desiredCount, d.runningCount]),
      [
        ['PRIMARY', 'IN_PROGRESS', 2, 0],
        ['ACTIVE', 'COMPLETED', 1, 1],
      ],
    );
    assert.equal(service.runningCount, 1);
    await observeTask(platform.store, task.key.id, { status: 'STOPPING', stop: { code: 'UserInitiated', reason: '' } });
    assert.equal((await read('rolls')).deployments?.length, 1);
  });

  it('are of their old task definition again after a rollback, and say why the other failed', async () => {
    const old = revisionOf(await create('back'));
    await complete('back');
    const failed = await update('back', { taskDefinition: 'web:2' });
    await addServiceTask(platform, key('back'), revisionOf(failed), { status: 'PENDING' });
    const id = deploymentOf(failed);
    await observeService(platform.store, key('back'), { deploymentId: id, targetRevisionId: old });
    const rollback = { revisionId: old, reason: 'circuit breaker', startedAt: 5 };
    await observeDeployment(
      platform.store,
      { ...key('back'), id },
      { status: 'ROLLBACK_IN_PROGRESS', breaker: 'TRIGGERED', failedTasks: 3, rollback },
    );
    const service = await read('back');
    assert.equal(service.taskDefinition, arn('task-definition/web:1'));
    assert.deepEqual(
      service.deployments?.map((d) => [d.status, d.id, d.rolloutState, d.rolloutStateReason, d.failedTasks]),
      [
        ['PRIMARY', `ecs-svc/${old}`, 'IN_PROGRESS', `ECS deployment ecs-svc/${old} in progress.`, 0],
        [
          'ACTIVE',
          `ecs-svc/${revisionOf(failed)}`,
          'FAILED',
          `ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/${old}.`,
          3,
        ],
      ],
    );
    // Asking for the one that failed again is a change now.
    assert.notEqual(deploymentOf(await update('back', { taskDefinition: 'web:2' })), id);
  });

  it('drain, and are INACTIVE but described', async () => {
    await create('ends');
    const text = 'The service cannot be stopped while it is scaled above 0.';
    await assert.rejects(platform.ecs.send(new DeleteServiceCommand({ service: 'ends' })), refused('InvalidParameterException', text));
    const { service } = await platform.ecs.send(new DeleteServiceCommand({ service: 'ends', force: true }));
    assert.deepEqual([service?.status, service?.desiredCount], ['DRAINING', 0]);
    await assert.rejects(create('ends'), refused('InvalidParameterException', 'Unable to Start a service that is still Draining.'));
    await assert.rejects(update('ends', { desiredCount: 1 }), refused('ServiceNotActiveException', 'Service was not ACTIVE.'));
    const { serviceArns } = await platform.ecs.send(new ListServicesCommand({ maxResults: 100 }));
    assert.ok(serviceArns?.length && !serviceArns.includes(arn('service/default/ends')));
    await observeService(platform.store, key('ends'), { status: 'INACTIVE' });
    await waitUntilServicesInactive({ client: platform.ecs, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { services: ['ends'] });
    await assert.rejects(
      platform.ecs.send(new DeleteServiceCommand({ service: 'ends' })),
      refused('ServiceNotFoundException', 'Service not found.'),
    );
    assert.equal((await create('ends')).status, 'ACTIVE');
  });

  it("are stable for the SDK's waiter once their tasks run", async () => {
    const service = await create('stable');
    for (let index = 0; index < 2; index++) await addServiceTask(platform, key('stable'), revisionOf(service));
    await waitUntilServicesStable({ client: platform.ecs, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { services: ['stable'] });
  });

  it('must have target groups that are there, of type ip, behind a listener', async () => {
    const { arns } = await addTargetGroups(platform, [
      { name: 'good' },
      { name: 'alone', listened: false },
      { name: 'ec2', targetType: 'instance' },
    ]);
    const to = (name: string, fields = {}) => [{ targetGroupArn: arns[name] ?? name, containerName: 'web', containerPort: 80, ...fields }];
    const cases: [CreateServiceCommandInput['loadBalancers'], string | RegExp][] = [
      [to('alone'), `The target group with targetGroupArn ${arns['alone']} does not have an associated load balancer.`],
      [to('ec2'), /target type instance, which is incompatible with the awsvpc network mode/],
      [to(`${arns['good']?.slice(0, -1)}x`), /does not exist/],
      [to('good', { containerName: 'no' }), 'The container no does not exist in the task definition.'],
      [to('good', { containerPort: 81 }), 'The container web did not have a container port 81 defined.'],
      [[{ loadBalancerName: 'old', containerName: 'web', containerPort: 80 }], 'Classic Load Balancers are not supported with Fargate.'],
    ];
    for (const [loadBalancers, text] of cases) {
      await assert.rejects(create('balanced', { loadBalancers }), refused('InvalidParameterException', text));
    }
    const service = await create('balanced', { loadBalancers: to('good'), healthCheckGracePeriodSeconds: 30 });
    assert.deepEqual(service.loadBalancers, to('good'));
    assert.equal(service.healthCheckGracePeriodSeconds, 30);
  });

  it('page by ten where the caller names no size', async () => {
    const { serviceArns, nextToken } = await platform.ecs.send(new ListServicesCommand({ maxResults: 2 }));
    assert.equal(serviceArns?.length, 2);
    const next = await platform.ecs.send(new ListServicesCommand({ maxResults: 2, nextToken }));
    assert.equal(next.serviceArns?.filter((one) => serviceArns?.includes(one)).length, 0);
  });
});
