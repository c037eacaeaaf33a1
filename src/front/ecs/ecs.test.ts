import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  CreateClusterCommand,
  DeleteAccountSettingCommand,
  DeleteClusterCommand,
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeCapacityProvidersCommand,
  DescribeClustersCommand,
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  DiscoverPollEndpointCommand,
  ECSClient,
  ListAccountSettingsCommand,
  ListAttributesCommand,
  ListContainerInstancesCommand,
  ListServicesCommand,
  ListTagsForResourceCommand,
  ListTaskDefinitionFamiliesCommand,
  ListTasksCommand,
  paginateListTaskDefinitions,
  PutAccountSettingCommand,
  PutAttributesCommand,
  PutClusterCapacityProvidersCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StartTaskCommand,
  StopTaskCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateClusterSettingsCommand,
  waitUntilTasksStopped,
  type RunTaskCommandInput,
  type Task,
} from '@aws-sdk/client-ecs';
import type { TaskRecord } from '#domain/task.ts';
import { taskEvent } from '#plan/event-details.ts';
import { account, arn, observeTask, refused, startTestPlatform, web, type TestPlatform } from './test-platform.ts';

let platform: TestPlatform;
let ecs: ECSClient;
let subnets: string[];

before(async () => {
  platform = await startTestPlatform();
  ({ ecs, subnets } = platform);
});
after(() => platform?.close());

const run = (fields: Partial<RunTaskCommandInput> = {}) =>
  ecs.send(
    new RunTaskCommand({
      taskDefinition: 'web',
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets } },
      ...fields,
    }),
  );
const idOf = (task: Task | undefined) => task?.taskArn?.split('/').at(-1) ?? '';

describe('clusters', () => {
  it('default is there, with its providers', async () => {
    const { clusters } = await ecs.send(new DescribeClustersCommand({ include: ['SETTINGS', 'STATISTICS', 'TAGS', 'CONFIGURATIONS'] }));
    const [cluster] = clusters ?? [];
    assert.equal(cluster?.clusterArn, arn('cluster/default'));
    assert.deepEqual(cluster?.capacityProviders, ['FARGATE', 'FARGATE_SPOT']);
    assert.deepEqual(cluster?.settings, [{ name: 'containerInsights', value: 'disabled' }]);
    assert.equal(cluster?.statistics?.length, 12);
  });

  it('are made, changed and deleted; names and ARNs serve alike', async () => {
    const made = await ecs.send(new CreateClusterCommand({ clusterName: 'blue', tags: [{ key: 'a', value: 'b' }] }));
    assert.deepEqual(made.cluster?.tags, [{ key: 'a', value: 'b' }]);
    const name = arn('cluster/blue');
    await ecs.send(new UpdateClusterSettingsCommand({ cluster: name, settings: [{ name: 'containerInsights', value: 'enabled' }] }));
    const strategy = [{ capacityProvider: 'FARGATE_SPOT', weight: 1, base: 0 }];
    const put = await ecs.send(
      new PutClusterCapacityProvidersCommand({
        cluster: 'blue',
        capacityProviders: ['FARGATE_SPOT'],
        defaultCapacityProviderStrategy: strategy,
      }),
    );
    assert.deepEqual(put.cluster?.defaultCapacityProviderStrategy, strategy);
    assert.deepEqual(put.cluster?.settings, [{ name: 'containerInsights', value: 'enabled' }]);
    const { tasks } = await run({ cluster: name, launchType: undefined });
    assert.equal(tasks?.[0]?.capacityProviderName, 'FARGATE_SPOT');
    await assert.rejects(ecs.send(new DeleteClusterCommand({ cluster: 'blue' })), refused('ClusterContainsTasksException'));
    await observeTask(platform.store, idOf(tasks?.[0]), { status: 'STOPPED' });
    assert.equal((await ecs.send(new DeleteClusterCommand({ cluster: 'blue' }))).cluster?.status, 'INACTIVE');
    const { clusters, failures } = await ecs.send(new DescribeClustersCommand({ clusters: ['blue', 'nope', arn('cluster/default')] }));
    assert.deepEqual(
      clusters?.map((cluster) => cluster.status),
      ['INACTIVE', 'ACTIVE'],
    );
    assert.deepEqual(failures, [{ arn: arn('cluster/nope'), reason: 'MISSING' }]);
    await assert.rejects(run({ cluster: 'blue' }), refused('ClusterNotFoundException', 'Cluster not found.'));
  });

  it('have capacity providers, and neither services nor container instances', async () => {
    const { capacityProviders, failures } = await ecs.send(new DescribeCapacityProvidersCommand({ capacityProviders: ['FARGATE', 'x'] }));
    assert.equal(capacityProviders?.[0]?.capacityProviderArn, arn('capacity-provider/FARGATE'));
    assert.deepEqual(failures, [{ arn: arn('capacity-provider/x'), reason: 'MISSING' }]);
    assert.deepEqual((await ecs.send(new ListServicesCommand({}))).serviceArns, []);
    assert.deepEqual((await ecs.send(new ListContainerInstancesCommand({}))).containerInstanceArns, []);
    const services = await ecs.send(new DescribeServicesCommand({ services: ['s'] }));
    assert.deepEqual(services.failures, [{ arn: arn('service/default/s'), reason: 'MISSING' }]);
    const instances = await ecs.send(new DescribeContainerInstancesCommand({ containerInstances: ['i'] }));
    assert.equal(instances.failures?.[0]?.reason, 'MISSING');
    const started = await ecs.send(new RegisterTaskDefinitionCommand({ ...web, family: 'placed' })).then(() => ecs.send(new StartTaskCommand({ taskDefinition: 'placed', containerInstances: ['i'] }))); // prettier-ignore
    assert.deepEqual([started.tasks, started.failures], [[], [{ arn: arn('container-instance/default/i'), reason: 'MISSING' }]]);
    const nowhere = ecs.send(new StartTaskCommand({ taskDefinition: 'placed', containerInstances: [] }));
    await assert.rejects(nowhere, { name: 'InvalidParameterException', message: 'Container instances cannot be empty.' });
    const unknown = ecs.send(new StartTaskCommand({ taskDefinition: 'nothing', containerInstances: ['i'] }));
    await assert.rejects(unknown, { name: 'ClientException', message: 'TaskDefinition not found.' });
    const unserved = ecs.send(new DiscoverPollEndpointCommand({}));
    await assert.rejects(unserved, (error: unknown) => error instanceof Error && /DiscoverPollEndpoint/.test(error.message));
  });
});

describe('task definitions', () => {
  it('live: registered, described, listed, deregistered, deleted', async () => {
    for (let i = 0; i < 3; i++) await ecs.send(new RegisterTaskDefinitionCommand({ ...web, family: 'life' }));
    const { taskDefinition, tags } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'life', include: ['TAGS'] }));
    assert.equal(taskDefinition?.taskDefinitionArn, arn('task-definition/life:3'));
    assert.ok(taskDefinition?.registeredAt instanceof Date);
    assert.equal(taskDefinition?.registeredBy, `arn:aws:iam::${account}:root`);
    assert.deepEqual(tags, web.tags);
    const listed: string[] = [];
    for await (const page of paginateListTaskDefinitions({ client: ecs, pageSize: 2 }, { familyPrefix: 'life', sort: 'DESC' })) {
      listed.push(...(page.taskDefinitionArns ?? []));
    }
    assert.deepEqual(
      listed,
      [3, 2, 1].map((revision) => arn(`task-definition/life:${revision}`)),
    );
    await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: arn('task-definition/life:3') }));
    await assert.rejects(run({ taskDefinition: 'life:3' }), refused('ClientException', 'TaskDefinition is inactive'));
    const { taskDefinitions, failures } = await ecs.send(new DeleteTaskDefinitionsCommand({ taskDefinitions: ['life:3', 'life:2'] }));
    assert.equal(taskDefinitions?.[0]?.status, 'DELETE_IN_PROGRESS');
    assert.equal(failures?.[0]?.arn, arn('task-definition/life:2'));
    const { families } = await ecs.send(new ListTaskDefinitionFamiliesCommand({ familyPrefix: 'li', status: 'ACTIVE' }));
    assert.deepEqual(families, ['life']);
  });

  it('that are wrong or absent get AWS’s texts', async () => {
    const wrong = new RegisterTaskDefinitionCommand({ ...web, memory: undefined });
    await assert.rejects(ecs.send(wrong), refused('ClientException', "Fargate requires that 'memory' be defined at the task level."));
    const absent = new DescribeTaskDefinitionCommand({ taskDefinition: 'nope' });
    await assert.rejects(ecs.send(absent), refused('ClientException', 'Unable to describe task definition.'));
  });
});

/** Its event has what AWS's have (the schema that the CDK's event patterns are made of), and else only what ECS's own Task has: three members that Fargate tasks show. */
function assertEventMembers(task: Task | undefined): void {
  const { detail, ...event } = taskEvent({ account, region: 'us-west-2' }, JSON.parse(JSON.stringify(task)), 1_700_000_002_000);
  const listed = ['attachments', 'attributes', 'availabilityZone', 'clusterArn', 'connectivity', 'connectivityAt', 'containerInstanceArn', 'containers', 'cpu', 'createdAt', 'desiredStatus', 'executionStoppedAt', 'group', 'lastStatus', 'launchType', 'memory', 'overrides', 'platformVersion', 'pullStartedAt', 'pullStoppedAt', 'startedAt', 'startedBy', 'stopCode', 'stoppedAt', 'stoppedReason', 'stoppingAt', 'taskArn', 'taskDefinitionArn', 'updatedAt', 'version', 'capacityProviderName', 'enableExecuteCommand', 'ephemeralStorage']; // prettier-ignore
  // A host isn't shown; the others are of tasks that were started by somebody, or whose times were seen.
  const notHere = ['containerInstanceArn', 'connectivityAt', 'executionStoppedAt', 'pullStartedAt', 'pullStoppedAt', 'stoppingAt', 'startedBy', 'capacityProviderName']; // prettier-ignore
  const names = Object.keys(detail).sort();
  assert.deepEqual(names.filter((name) => !listed.includes(name)), ['fargateEphemeralStorage', 'healthStatus', 'platformFamily']); // prettier-ignore
  assert.deepEqual(listed.filter((name) => !names.includes(name)), listed.filter((name) => notHere.includes(name))); // prettier-ignore
  assert.deepEqual([event.type, event.source, event.resources], ['ECS Task State Change', 'aws.ecs', [task?.taskArn]]);
  assert.deepEqual([detail['stoppedAt'], detail['updatedAt']], ['2023-11-14T22:13:21.500Z', '2023-11-14T22:13:22.000Z']);
  const [eni] = detail['attachments'] as { type: string }[];
  const [container] = detail['containers'] as Record<string, unknown>[];
  assert.equal(eni?.type, 'eni');
  for (const name of [
    'containerArn',
    'exitCode',
    'image',
    'imageDigest',
    'lastStatus',
    'name',
    'networkInterfaces',
    'runtimeId',
    'taskArn',
    'cpu',
  ])
    assert.ok(container?.[name] !== undefined, name);
}

describe('a task', () => {
  it('is answered at once as AWS answers', async () => {
    const { tasks, failures } = await run({ tags: [{ key: 'a', value: 'b' }], propagateTags: 'TASK_DEFINITION', startedBy: 'me' });
    assert.deepEqual(failures, []);
    const [task] = tasks ?? [];
    assert.match(task?.taskArn ?? '', new RegExp(`^${arn('task/default/')}[0-9a-f]{32}$`));
    assert.equal(task?.lastStatus, 'PROVISIONING');
    assert.equal(task?.desiredStatus, 'RUNNING');
    assert.equal(task?.group, 'family:web');
    assert.equal(task?.cpu, '256');
    assert.equal(task?.memory, '512');
    assert.equal(task?.launchType, 'FARGATE');
    assert.equal(task?.platformVersion, '1.4.0');
    assert.match(task?.availabilityZone ?? '', /^us-west-2[abc]$/);
    assert.deepEqual(task?.attributes, [{ name: 'ecs.cpu-architecture', value: 'x86_64' }]);
    assert.deepEqual(task?.overrides, { containerOverrides: [{ name: 'web' }], inferenceAcceleratorOverrides: [] });
    assert.deepEqual(task?.tags, [
      { key: 'team', value: 'a' },
      { key: 'a', value: 'b' },
    ]);
    const [attachment] = task?.attachments ?? [];
    assert.equal(attachment?.type, 'ElasticNetworkInterface');
    assert.equal(attachment?.status, 'PRECREATED');
    assert.deepEqual(
      attachment?.details?.map((detail) => detail.name),
      ['subnetId'],
    );
    assert.equal(task?.containers?.[0]?.lastStatus, 'PENDING');
    const listed = await ecs.send(new ListTasksCommand({ startedBy: 'me' }));
    assert.deepEqual(listed.taskArns, [task?.taskArn]);
  });

  it('is described from what is wished, where it is and what is seen', async () => {
    const { tasks } = await run({ overrides: { containerOverrides: [{ name: 'web', command: ['x'] }] } });
    const id = idOf(tasks?.[0]);
    await platform.store.write(async (tx) => {
      const task = (await tx.tasks.byId(id)) as TaskRecord;
      const attachmentId = tasks?.[0]?.attachments?.[0]?.id ?? '';
      const placement = { hostId: 'host-1', fence: 1, eniId: 'eni-1', attachmentId, ip: '10.1.0.4', mac: '02:00:00:00:00:01', at: 1 };
      await tx.tasks.setPlacement(task.key, placement, task.revision);
    });
    const container = { name: 'web', status: 'STOPPED' as const, runtimeId: `${id}-1`, imageDigest: 'sha256:1', exitCode: 137 };
    await observeTask(platform.store, id, {
      status: 'STOPPED',
      isolation: 'container',
      accelerator: null,
      startedAt: 1_700_000_000_000,
      stoppedAt: 1_700_000_001_500,
      stop: { code: 'EssentialContainerExited', reason: 'Essential container in task exited' },
      containers: [{ ...container, reason: 'OutOfMemoryError: killed', startedAt: null, finishedAt: null }],
    });
    const described = await ecs.send(new DescribeTasksCommand({ tasks: [id, 'f'.repeat(32)] }));
    const [task] = described.tasks ?? [];
    assert.deepEqual(described.failures, [{ arn: arn(`task/default/${'f'.repeat(32)}`), reason: 'MISSING' }]);
    assert.equal(task?.desiredStatus, 'STOPPED');
    assert.equal(task?.stopCode, 'EssentialContainerExited');
    assert.equal(task?.stoppedReason, 'Essential container in task exited');
    assert.equal(task?.stoppedAt?.getTime(), 1_700_000_001_500);
    assert.equal(task?.attachments?.[0]?.status, 'DELETED');
    assert.equal(task?.attachments?.[0]?.id, tasks?.[0]?.attachments?.[0]?.id);
    const details = Object.fromEntries(task?.attachments?.[0]?.details?.map((detail) => [detail.name, detail.value]) ?? []);
    assert.equal(details['networkInterfaceId'], 'eni-1');
    assert.equal(details['privateIPv4Address'], '10.1.0.4');
    assert.equal(details['privateDnsName'], 'ip-10-1-0-4.us-west-2.compute.internal');
    assert.ok(task?.attributes?.some((attribute) => attribute.name === 'berth.isolation' && attribute.value === 'container'));
    assert.equal(task?.containers?.[0]?.exitCode, 137);
    assert.equal(task?.containers?.[0]?.reason, 'OutOfMemoryError: killed');
    assert.deepEqual(
      task?.containers?.[0]?.networkInterfaces?.map((one) => one.privateIpv4Address),
      ['10.1.0.4'],
    );
    assert.deepEqual(task?.overrides?.containerOverrides, [{ name: 'web', command: ['x'] }]);
    assert.deepEqual(task?.tags, []);
    assertEventMembers(task);
    await waitUntilTasksStopped({ client: ecs, maxWaitTime: 20 }, { tasks: [id] });
  });

  it('says what it runs in, and what its virtual machine runs on', async () => {
    const { tasks } = await run();
    const id = idOf(tasks?.[0]);
    const told = async () => (await ecs.send(new DescribeTasksCommand({ tasks: [id] }))).tasks?.[0]?.attributes?.slice(1);
    assert.deepEqual(await told(), []);
    await observeTask(platform.store, id, { isolation: 'microvm', accelerator: 'tcg' });
    assert.deepEqual(await told(), [
      { name: 'berth.isolation', value: 'microvm' },
      { name: 'berth.accelerator', value: 'tcg' },
    ]);
  });

  it('is stopped once, with the caller’s reason', async () => {
    const { tasks } = await run();
    const { task } = await ecs.send(new StopTaskCommand({ task: tasks?.[0]?.taskArn, reason: 'enough' }));
    assert.equal(task?.desiredStatus, 'STOPPED');
    assert.equal(task?.stopCode, 'UserInitiated');
    assert.equal(task?.stoppedReason, 'enough');
    const { taskArns } = await ecs.send(new ListTasksCommand({ desiredStatus: 'STOPPED', family: 'web' }));
    assert.ok(taskArns?.includes(task?.taskArn ?? ''));
    const absent = new StopTaskCommand({ task: 'f'.repeat(32) });
    await assert.rejects(ecs.send(absent), refused('InvalidParameterException', 'The referenced task was not found.'));
  });

  it('is listed page by page', async () => {
    const { tasks } = await run({ count: 5, group: 'pages', startedBy: 'pages' });
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await ecs.send(new ListTasksCommand({ startedBy: 'pages', maxResults: 2, nextToken }));
      assert.ok((page.taskArns?.length ?? 0) <= 2);
      seen.push(...(page.taskArns ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    assert.deepEqual(seen.toSorted(), tasks?.map((task) => task.taskArn).toSorted());
    assert.deepEqual((await ecs.send(new ListTasksCommand({ desiredStatus: 'PENDING' }))).taskArns, []);
  });

  it('is refused in AWS’s words', async () => {
    const cases: [Partial<RunTaskCommandInput>, string, string | RegExp][] = [
      [
        { networkConfiguration: undefined },
        'InvalidParameterException',
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
      ],
      [{ taskDefinition: 'nope' }, 'ClientException', 'TaskDefinition not found.'],
      [{ cluster: 'nope' }, 'ClusterNotFoundException', 'Cluster not found.'],
      [{ count: 11 }, 'InvalidParameterException', /count must be between 1 and 10/],
      [{ platformVersion: '9' }, 'PlatformUnknownException', /'9' does not exist/],
      [
        { platformVersion: '1.3.0', overrides: { cpu: '8192', memory: '16384' } },
        'PlatformTaskDefinitionIncompatibilityException',
        /does not support tasks with 8192 CPU/,
      ],
      [{ propagateTags: 'SERVICE' }, 'InvalidParameterException', /propagateTags/],
      [{ tags: [{ key: 'aws:x', value: '' }] }, 'InvalidParameterException', /reserved/],
      [{ tags: [{ key: 'berth:isolation', value: 'vm' }] }, 'InvalidParameterException', /auto, container, gvisor, microvm/],
      [{ startedBy: 'x'.repeat(129) }, 'InvalidParameterException', /128/],
      [
        { overrides: { containerOverrides: [{ environmentFiles: [{ type: 's3', value: 'x' }] }] } },
        'InvalidParameterException',
        /override name should not be null/,
      ],
      [{ referenceId: 'x'.repeat(1025) }, 'InvalidParameterException', /referenceId/],
      [{ overrides: { containerOverrides: [{ name: 'web', command: ['x'.repeat(9000)] }] } }, 'InvalidParameterException', /8192/],
      [{ launchType: 'EC2' }, 'InvalidParameterException', 'No Container Instances were found in your cluster.'],
    ];
    for (const [fields, name, text] of cases) await assert.rejects(run(fields), refused(name, text));
    const filters = new ListTasksCommand({ startedBy: 'a', family: 'b' });
    await assert.rejects(ecs.send(filters), refused('InvalidParameterException', /only filter/));
  });

  it('is made once a token; other parameters conflict', async () => {
    const first = await run({ clientToken: 'token-1', count: 2 });
    const again = await run({ clientToken: 'token-1', count: 2 });
    assert.deepEqual(
      again.tasks?.map((task) => task.taskArn),
      first.tasks?.map((task) => task.taskArn),
    );
    await assert.rejects(run({ clientToken: 'token-1', count: 1 }), (error: unknown) => {
      assert.ok(refused('ConflictException')(error));
      assert.deepEqual(
        (error as { resourceIds?: string[] }).resourceIds,
        first.tasks?.map((task) => task.taskArn),
      );
      return true;
    });
  });

  it('takes its isolation from the cluster, and says why that is not to be had', async () => {
    const tags = [{ key: 'berth:isolation', value: 'gvisor' }];
    await ecs.send(new CreateClusterCommand({ clusterName: 'walled', tags }));
    const { tasks, failures } = await run({ cluster: 'walled' });
    assert.deepEqual(tasks, []);
    assert.match(failures?.[0]?.detail ?? '', /isolation 'gvisor'/);
    const named = await run({ cluster: 'walled', tags: [{ key: 'berth:isolation', value: 'container' }] });
    assert.equal(named.tasks?.length, 1);
    const bad = [{ key: 'berth:isolation', value: 'vm' }];
    const cluster = { resourceArn: arn('cluster/walled'), tags: bad };
    await assert.rejects(ecs.send(new TagResourceCommand(cluster)), refused('InvalidParameterException', /use one of auto/));
    await assert.rejects(ecs.send(new CreateClusterCommand({ clusterName: 'bad', tags: bad })), refused('InvalidParameterException'));
    assert.deepEqual((await ecs.send(new ListTagsForResourceCommand({ resourceArn: cluster.resourceArn }))).tags, tags);
    assert.deepEqual((await ecs.send(new DescribeClustersCommand({ clusters: ['bad'] }))).clusters, []);
  });

  it('that no host has room for is a failure, not an error', async () => {
    const isolation = [{ key: 'berth:isolation', value: 'microvm' }];
    const { tasks, failures } = await run({ tags: isolation });
    assert.deepEqual(tasks, []);
    assert.equal(failures?.[0]?.reason, 'ATTRIBUTE');
    assert.match(failures?.[0]?.detail ?? '', /microvm/);
    const large = await run({ overrides: { cpu: '4096', memory: '30720' } });
    assert.match(large.failures?.[0]?.reason ?? '', /^Capacity is unavailable at this time\./);
  });
});

describe('the rest', () => {
  it('tags of a task', async () => {
    const { tasks } = await run();
    const resourceArn = tasks?.[0]?.taskArn;
    await ecs.send(
      new TagResourceCommand({
        resourceArn,
        tags: [
          { key: 'a', value: '1' },
          { key: 'b', value: '2' },
        ],
      }),
    );
    await ecs.send(new UntagResourceCommand({ resourceArn, tagKeys: ['a'] }));
    assert.deepEqual((await ecs.send(new ListTagsForResourceCommand({ resourceArn }))).tags, [{ key: 'b', value: '2' }]);
    const gone = new ListTagsForResourceCommand({ resourceArn: arn('task/default/x') });
    await assert.rejects(ecs.send(gone), refused('ResourceNotFoundException'));
    await assert.rejects(ecs.send(new ListTagsForResourceCommand({ resourceArn: 'x' })), refused('InvalidParameterException'));
  });

  it('account settings', async () => {
    const { setting } = await ecs.send(new PutAccountSettingCommand({ name: 'containerInsights', value: 'enabled' }));
    assert.equal(setting?.principalArn, `arn:aws:iam::${account}:root`);
    const { settings, nextToken } = await ecs.send(new ListAccountSettingsCommand({ effectiveSettings: true, maxResults: 10 }));
    assert.ok(settings?.length === 10 && nextToken !== undefined);
    const own = await ecs.send(new ListAccountSettingsCommand({}));
    assert.deepEqual(
      own.settings?.map((one) => [one.name, one.value]),
      [['containerInsights', 'enabled']],
    );
    assert.equal((await ecs.send(new DeleteAccountSettingCommand({ name: 'containerInsights' }))).setting?.value, 'disabled');
  });

  it('attributes have no targets on Fargate', async () => {
    const put = new PutAttributesCommand({ attributes: [{ name: 'a', targetId: 'i', targetType: 'container-instance' }] });
    await assert.rejects(ecs.send(put), refused('TargetNotFoundException'));
    assert.deepEqual((await ecs.send(new ListAttributesCommand({ targetType: 'container-instance' }))).attributes, []);
  });
});
