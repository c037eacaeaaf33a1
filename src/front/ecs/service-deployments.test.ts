import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  ContinueServiceDeploymentCommand,
  CreateClusterCommand,
  CreateServiceCommand,
  CreateTaskSetCommand,
  DeleteClusterCommand,
  DeleteServiceCommand,
  DeleteTaskSetCommand,
  DescribeClustersCommand,
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  DescribeTaskSetsCommand,
  GetTaskProtectionCommand,
  ListServiceDeploymentsCommand,
  ListServicesByNamespaceCommand,
  ListTagsForResourceCommand,
  ListTasksCommand,
  StopServiceDeploymentCommand,
  TagResourceCommand,
  UpdateServiceCommand,
  UpdateServicePrimaryTaskSetCommand,
  UpdateTaskProtectionCommand,
  UpdateTaskSetCommand,
  type CreateServiceCommandInput,
  type Service,
} from '@aws-sdk/client-ecs';
import { newTargetObserved } from '#domain/load-balancer.ts';
import {
  account,
  addServiceTask,
  addTargetGroups,
  arn,
  deploymentOf,
  observeDeployment,
  observeService,
  refused,
  region,
  revisionOf,
  serviceKey,
  startTestPlatform,
  type TestPlatform,
} from './test-platform.ts';

let platform: TestPlatform;
before(async () => {
  platform = await startTestPlatform();
});
after(() => platform?.close());

const key = serviceKey;
const network = () => ({ awsvpcConfiguration: { subnets: platform.subnets } });
async function create(name: string, fields: Partial<CreateServiceCommandInput> = {}): Promise<Service> {
  const input = { taskDefinition: 'web:1', desiredCount: 1, launchType: 'FARGATE' as const, networkConfiguration: network() };
  const { service } = await platform.ecs.send(new CreateServiceCommand({ serviceName: name, ...input, ...fields }));
  assert.ok(service);
  return service;
}
async function deployment(arnOf: string | undefined) {
  const { serviceDeployments } = await platform.ecs.send(new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [arnOf ?? ''] }));
  assert.ok(serviceDeployments?.[0]);
  return serviceDeployments[0];
}

describe('service deployments', () => {
  it("keep Terraform's contract: the ARN of the target revision has the id of the PRIMARY deployment in it", async () => {
    const begun = new Date(Date.now() - 1);
    const service = await create('contract');
    const { serviceDeployments } = await platform.ecs.send(
      new ListServiceDeploymentsCommand({ service: 'contract', createdAt: { after: begun } }),
    );
    assert.equal(serviceDeployments?.length, 1);
    assert.ok(serviceDeployments[0]?.targetServiceRevisionArn?.includes(revisionOf(service)));
    assert.equal(serviceDeployments[0]?.serviceDeploymentArn, service.currentServiceDeployment);
    const later = new ListServiceDeploymentsCommand({ service: 'contract', createdAt: { after: new Date(Date.now() + 60_000) } });
    assert.deepEqual((await platform.ecs.send(later)).serviceDeployments, []);
    const pending = new ListServiceDeploymentsCommand({ service: 'contract', status: ['PENDING'] });
    assert.equal((await platform.ecs.send(pending)).serviceDeployments?.length, 1);
    const none = platform.ecs.send(new ListServiceDeploymentsCommand({ service: 'nothing' }));
    await assert.rejects(none, refused('ServiceNotFoundException', 'Service not found.'));
  });

  it('are described whole, with their revisions', async () => {
    const service = await create('whole', { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } });
    await addServiceTask(platform, key('whole'), revisionOf(service));
    const found = await deployment(service.currentServiceDeployment);
    assert.equal(found.status, 'PENDING');
    assert.equal(found.deploymentCircuitBreaker?.threshold, 3);
    assert.equal(found.targetServiceRevision?.requestedTaskCount, 1);
    assert.equal(found.targetServiceRevision?.runningTaskCount, 1);
    const { serviceRevisions, failures } = await platform.ecs.send(
      new DescribeServiceRevisionsCommand({
        serviceRevisionArns: [found.targetServiceRevision?.arn ?? '', arn('service-revision/default/whole/1')],
      }),
    );
    assert.equal(serviceRevisions?.[0]?.taskDefinition, arn('task-definition/web:1'));
    assert.deepEqual(serviceRevisions?.[0]?.containerImages, [{ containerName: 'web', image: 'nginx:1' }]);
    assert.deepEqual(failures, [{ arn: arn('service-revision/default/whole/1'), reason: 'MISSING' }]);
    const odd = platform.ecs.send(new DescribeServiceRevisionsCommand({ serviceRevisionArns: ['odd'] }));
    await assert.rejects(odd, refused('InvalidParameterException', /not the ARN of a service-revision/));
  });

  it('are stopped once, while they are under way', async () => {
    const service = await create('stops');
    const serviceDeploymentArn = service.currentServiceDeployment;
    await platform.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn }));
    await platform.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn }));
    assert.equal((await deployment(serviceDeploymentArn)).status, 'ROLLBACK_REQUESTED');
    await platform.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn, stopType: 'ABORT' }));
    assert.equal((await deployment(serviceDeploymentArn)).status, 'STOP_REQUESTED');
    const other = platform.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn }));
    await assert.rejects(other, refused('ConflictException', /already/));
    await observeDeployment(platform.store, { ...key('stops'), id: deploymentOf(service) }, { status: 'STOPPED' });
    const ended = platform.ecs.send(new StopServiceDeploymentCommand({ serviceDeploymentArn }));
    await assert.rejects(ended, refused('ConflictException', /STOPPED/));
    const missing = platform.ecs.send(
      new StopServiceDeploymentCommand({ serviceDeploymentArn: arn('service-deployment/default/stops/aaaaaaaaaaaaaaaaaaaaa') }),
    );
    await assert.rejects(missing, refused('ServiceDeploymentNotFoundException', 'Service deployment not found.'));
  });

  it('shift traffic with hooks that wait until somebody goes on', async () => {
    const { arns, listener } = await addTargetGroups(platform, [{ name: 'blue' }, { name: 'green' }]);
    const advancedConfiguration = { alternateTargetGroupArn: arns['green'], productionListenerRule: listener };
    const loadBalancers = [{ targetGroupArn: arns['blue'], containerName: 'web', containerPort: 80, advancedConfiguration }];
    const lifecycleHooks = [{ targetType: 'PAUSE' as const, lifecycleStages: ['POST_SCALE_UP' as const] }];
    const canary = { strategy: 'CANARY' as const, canaryConfiguration: { canaryPercent: 12.5 }, lifecycleHooks };
    const service = await create('canary', { loadBalancers, deploymentConfiguration: canary });
    assert.deepEqual(service.deploymentConfiguration?.canaryConfiguration, { canaryPercent: 12.5, canaryBakeTimeInMinutes: 10 });
    const id = deploymentOf(service);
    const record = await platform.store.read((tx) => tx.serviceDeployments.get({ ...key('canary'), id }));
    const hook = record?.desired.config.hooks[0]?.id ?? '';
    const go = (hookId: string) =>
      platform.ecs.send(new ContinueServiceDeploymentCommand({ serviceDeploymentArn: service.currentServiceDeployment, hookId }));
    await assert.rejects(go(hook), refused('InvalidParameterException', /does not wait for an action/));
    const place = `${hook}@POST_SCALE_UP`;
    await observeDeployment(
      platform.store,
      { ...key('canary'), id },
      { status: 'IN_PROGRESS', stage: 'POST_SCALE_UP', hooks: { [place]: { status: 'AWAITING_ACTION', startedAt: 5, finishedAt: null } } },
    );
    const [detail] = (await deployment(service.currentServiceDeployment)).lifecycleHookDetails ?? [];
    assert.deepEqual([detail?.hookId, detail?.status, detail?.timeoutAction], [hook, 'AWAITING_ACTION', 'ROLLBACK']);
    await go(hook);
    const after = await platform.store.read((tx) => tx.serviceDeployments.get({ ...key('canary'), id }));
    assert.equal(after?.desired.continued[place]?.action, 'CONTINUE');
  });
});

describe('task sets', () => {
  it('say what runs in a service with an external controller', async () => {
    const service = await create('external', {
      taskDefinition: undefined,
      launchType: undefined,
      networkConfiguration: undefined,
      desiredCount: 3,
      deploymentController: { type: 'EXTERNAL' },
    });
    assert.deepEqual(service.deployments, []);
    const input = {
      cluster: 'default',
      service: 'external',
      taskDefinition: 'web:1',
      launchType: 'FARGATE' as const,
      networkConfiguration: network(),
      clientToken: 'x',
    };
    const { taskSet } = await platform.ecs.send(new CreateTaskSetCommand(input));
    assert.match(taskSet?.id ?? '', /^ecs-svc\/\d{19}$/);
    assert.deepEqual([taskSet?.status, taskSet?.computedDesiredCount, taskSet?.scale?.value], ['ACTIVE', 0, 0]);
    assert.equal((await platform.ecs.send(new CreateTaskSetCommand(input))).taskSet?.id, taskSet?.id);
    const at = { cluster: 'default', service: 'external' };
    const scaled = await platform.ecs.send(
      new UpdateTaskSetCommand({ ...at, taskSet: taskSet?.taskSetArn, scale: { value: 50, unit: 'PERCENT' } }),
    );
    assert.equal(scaled.taskSet?.computedDesiredCount, 2);
    await platform.ecs.send(new UpdateServicePrimaryTaskSetCommand({ ...at, primaryTaskSet: taskSet?.id }));
    const { services } = await platform.ecs.send(new DescribeServicesCommand({ services: ['external'] }));
    assert.deepEqual(
      services?.[0]?.taskSets?.map((set) => [set.id, set.status]),
      [[taskSet?.id, 'PRIMARY']],
    );
    const early = platform.ecs.send(new DeleteTaskSetCommand({ ...at, taskSet: taskSet?.id }));
    await assert.rejects(early, refused('InvalidParameterException', /scaled above 0/));
    await addServiceTask(platform, key('external'), taskSet?.id?.replace('ecs-svc/', '') ?? '', undefined, taskSet?.id ?? null);
    const gone = await platform.ecs.send(new DeleteTaskSetCommand({ ...at, taskSet: taskSet?.id, force: true }));
    assert.equal(gone.taskSet?.status, 'DRAINING');
    const missing = platform.ecs.send(new DeleteTaskSetCommand({ ...at, taskSet: 'ecs-svc/1' }));
    await assert.rejects(missing, refused('TaskSetNotFoundException', /not found/));
    const { taskSets, failures } = await platform.ecs.send(new DescribeTaskSetsCommand({ ...at, taskSets: [taskSet?.id ?? '', '1'] }));
    assert.equal(taskSets?.[0]?.runningCount, 1);
    assert.deepEqual(failures, [{ arn: arn('task-set/default/external/ecs-svc/1'), reason: 'MISSING' }]);
  });

  it('need that controller', async () => {
    await create('internal');
    const input = {
      cluster: 'default',
      service: 'internal',
      taskDefinition: 'web:1',
      launchType: 'FARGATE' as const,
      networkConfiguration: network(),
    };
    await assert.rejects(platform.ecs.send(new CreateTaskSetCommand(input)), refused('InvalidParameterException', /EXTERNAL/));
  });
});

describe('task protection', () => {
  it("holds for a service's tasks, for its time, and not while it holds up a deployment", async () => {
    const service = await create('guarded');
    const [first, second] = [
      await addServiceTask(platform, key('guarded'), revisionOf(service)),
      await addServiceTask(platform, key('guarded'), revisionOf(service)),
    ];
    const protect = (tasks: string[], fields = {}) =>
      platform.ecs.send(new UpdateTaskProtectionCommand({ cluster: 'default', tasks, protectionEnabled: true, ...fields }));
    const missing = 'a'.repeat(32);
    const result = await protect([first.key.id, missing], { expiresInMinutes: 5 });
    assert.equal(result.protectedTasks?.[0]?.protectionEnabled, true);
    const left = (result.protectedTasks?.[0]?.expirationDate?.getTime() ?? 0) - Date.now();
    assert.ok(left > 200_000 && left <= 300_000, String(left));
    assert.deepEqual(result.failures, [{ arn: arn(`task/default/${missing}`), reason: 'MISSING' }]);
    const got = await platform.ecs.send(new GetTaskProtectionCommand({ cluster: 'default', tasks: [second.key.id] }));
    assert.deepEqual(
      got.protectedTasks?.map((task) => task.protectionEnabled),
      [false],
    );
    await assert.rejects(protect([first.key.id], { expiresInMinutes: 2881 }), refused('InvalidParameterException', /2880/));
    await platform.ecs.send(new UpdateServiceCommand({ service: 'guarded', forceNewDeployment: true }));
    assert.equal((await protect([second.key.id])).failures?.[0]?.reason, 'DEPLOYMENT_BLOCKED');
    const off = await protect([first.key.id], { protectionEnabled: false });
    assert.deepEqual(off.protectedTasks?.[0], { taskArn: arn(`task/default/${first.key.id}`), protectionEnabled: false });
  });
});

describe('what is around services', () => {
  it('tags reach the tasks to come where they are propagated', async () => {
    const service = await create('tagged', { propagateTags: 'SERVICE', tags: [{ key: 'a', value: '1' }] });
    const resourceArn = service.serviceArn;
    await platform.ecs.send(new TagResourceCommand({ resourceArn, tags: [{ key: 'b', value: '2' }] }));
    const { tags } = await platform.ecs.send(new ListTagsForResourceCommand({ resourceArn }));
    assert.deepEqual(
      tags?.map((tag) => tag.key),
      ['a', 'b'],
    );
    const revision = await platform.store.read((tx) => tx.serviceRevisions.get({ ...key('tagged'), id: revisionOf(service) }));
    assert.deepEqual(revision?.desired.taskTags, tags);
  });

  it('a cluster counts its services and stays while it has one', async () => {
    await platform.ecs.send(new CreateClusterCommand({ clusterName: 'other' }));
    await create('one', { cluster: 'other' });
    const { clusters } = await platform.ecs.send(new DescribeClustersCommand({ clusters: ['other'], include: ['STATISTICS'] }));
    assert.equal(clusters?.[0]?.activeServicesCount, 1);
    assert.equal(clusters?.[0]?.statistics?.find((one) => one.name === 'activeFargateServiceCount')?.value, '1');
    const drop = () => platform.ecs.send(new DeleteClusterCommand({ cluster: 'other' }));
    const text = 'The Cluster cannot be deleted while Services are active.';
    await assert.rejects(drop(), refused('ClusterContainsServicesException', text));
    await platform.ecs.send(new DeleteServiceCommand({ cluster: 'other', service: 'one', force: true }));
    await assert.rejects(drop(), refused('ClusterContainsServicesException', text));
    await observeService(platform.store, { ...key('one'), cluster: 'other' }, { status: 'INACTIVE' });
    assert.equal((await drop()).cluster?.status, 'INACTIVE');
  });

  it("a service's tasks are listed; one that is drained is DEACTIVATING", async () => {
    const service = await create('listed');
    const task = await addServiceTask(platform, key('listed'), revisionOf(service));
    const { taskArns } = await platform.ecs.send(new ListTasksCommand({ serviceName: 'listed' }));
    assert.deepEqual(taskArns, [arn(`task/default/${task.key.id}`)]);
    await assert.rejects(
      platform.ecs.send(new ListTasksCommand({ serviceName: 'no' })),
      refused('ServiceNotFoundException', 'Service not found.'),
    );
    await platform.store.write(async (tx) => {
      const now = (await tx.tasks.byId(task.key.id)) ?? task;
      const stop = { code: 'ServiceSchedulerInitiated' as const, reason: '', at: 5 };
      await tx.tasks.setDesired(task.key, { ...now.desired, status: 'STOPPED', stop }, now.revision);
      const target = { account, region, group: 'g', target: '10.0.0.1', port: 80 };
      await tx.targets.insert(target, { registeredAt: 4, deregisteredAt: 5, zone: null, taskId: task.key.id }, newTargetObserved(5));
    });
    const { tasks } = await platform.ecs.send(new DescribeTasksCommand({ tasks: [task.key.id] }));
    assert.equal(tasks?.[0]?.lastStatus, 'DEACTIVATING');
    const { services } = await platform.ecs.send(new DescribeServicesCommand({ services: ['listed'] }));
    assert.equal(services?.[0]?.runningCount, 0);
  });

  it('no service is in a namespace', async () => {
    assert.deepEqual((await platform.ecs.send(new ListServicesByNamespaceCommand({ namespace: 'n' }))).serviceArns, []);
  });
});
