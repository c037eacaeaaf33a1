/** Volumes configured at launch, and named ones, through the real client: what is refused, and what is committed with a task. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { CreateClusterCommand, CreateServiceCommand, DescribeServicesCommand, DescribeTasksCommand, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs'; // prettier-ignore
import type { RegisterTaskDefinitionCommandInput, RunTaskCommandInput, TaskManagedEBSVolumeConfiguration, TaskVolumeConfiguration } from '@aws-sdk/client-ecs'; // prettier-ignore
import { account, observeTask, region, startTestPlatform, web, type TestPlatform } from './test-platform.ts';

let platform: TestPlatform;
const scope = { account, region };
const roleArn = 'arn:aws:iam::123456789012:role/ecsInfrastructure';
const mountPoints = [{ sourceVolume: 'data', containerPath: '/data' }];
const withVolume = (family: string, volume: object, change: Partial<RegisterTaskDefinitionCommandInput> = {}) => ({
  ...web,
  family,
  volumes: [{ name: 'data', ...volume }],
  containerDefinitions: [{ ...web.containerDefinitions![0]!, mountPoints }],
  ...change,
});
const register = (input: RegisterTaskDefinitionCommandInput) => platform.ecs.send(new RegisterTaskDefinitionCommand(input));
const run = async (change: Partial<RunTaskCommandInput> = {}) => {
  const networkConfiguration = { awsvpcConfiguration: { subnets: platform.subnets } };
  const input = { taskDefinition: 'ebs', launchType: 'FARGATE' as const, networkConfiguration, ...change };
  return await platform.ecs.send(new RunTaskCommand(input));
};
const launch = (ebs: Partial<TaskManagedEBSVolumeConfiguration>, name = 'data'): TaskVolumeConfiguration[] => [
  { name, managedEBSVolume: { roleArn, ...ebs } },
];
const rows = () => platform.store.read(async (tx) => ({ volumes: await tx.volumes.list(scope), tasks: await tx.tasks.list({}) }));
const snapshot = (id: string, state: 'pending' | 'completed') =>
  platform.store.write((tx) =>
    tx.snapshots.insert(
      { ...scope, id },
      { createdAt: 1, volumeId: 'vol-1', sizeGib: 8, encrypted: false, kmsKeyId: null, description: '', tags: [], deletedAt: null },
      { state, hostId: 'host-1', completedAt: 1, bytes: 1, error: null },
    ),
  );

before(async () => {
  platform = await startTestPlatform();
  await register(withVolume('ebs', { configuredAtLaunch: true }));
  await snapshot('snap-0123456789abcdef0', 'completed');
  await snapshot('snap-0123456789abcdef1', 'pending');
});
after(() => platform?.close());

it('a volume is made with each task, is shown in its attachments, and has the tags that were asked for', async () => {
  const tagSpecifications = [
    { resourceType: 'volume' as const, tags: [{ key: 'own', value: '1' }], propagateTags: 'TASK_DEFINITION' as const },
  ];
  const ebs = {
    sizeInGiB: 10,
    volumeType: 'gp3',
    iops: 3500,
    filesystemType: 'ext4' as const,
    tagSpecifications,
    terminationPolicy: { deleteOnTermination: false },
  };
  const { tasks = [], failures } = await run({ count: 2, volumeConfigurations: launch(ebs), enableECSManagedTags: true });
  assert.deepEqual([tasks.length, failures], [2, []]);
  const { volumes } = await rows();
  assert.deepEqual(
    volumes.map(({ desired }) => desired.task?.id).toSorted(),
    tasks.map((task) => task.taskArn!.split('/').at(-1)).toSorted(),
  );
  const { desired } = volumes[0]!;
  assert.deepEqual(
    [desired.sizeGib, desired.type, desired.iops, desired.throughput, desired.encrypted, desired.task?.deleteOnTermination],
    [10, 'gp3', 3500, 125, true, false],
  );
  const tagOf = (key: string) => desired.tags.find((tag) => tag.key === key)?.value;
  assert.deepEqual([tagOf('own'), tagOf('team'), tagOf('AmazonECSManaged'), tagOf('aws:ecs:clusterName')], ['1', 'a', 'true', 'default']);
  const [task] = tasks;
  const attachment = task?.attachments?.find(({ type }) => type === 'AmazonElasticBlockStorage');
  const own = volumes.find((volume) => volume.desired.task?.id === task?.taskArn?.split('/').at(-1));
  assert.equal(attachment?.status, 'PRECREATED');
  assert.deepEqual(attachment?.details, [
    { name: 'roleArn', value: roleArn },
    { name: 'deleteOnTermination', value: 'false' },
    { name: 'volumeName', value: 'data' },
    { name: 'volumeId', value: own?.key.id },
  ]);
  const reason = `ResourceInitializationError: volume ${own?.key.id} is in use`;
  await observeTask(platform.store, own!.desired.task!.id, { status: 'STOPPED', stop: { code: 'TaskFailedToStart', reason } });
  const { tasks: [ended] = [] } = await platform.ecs.send(new DescribeTasksCommand({ tasks: [task!.taskArn!] }));
  const after = ended?.attachments?.find(({ type }) => type === 'AmazonElasticBlockStorage');
  assert.deepEqual([after?.status, after?.details?.at(-1)], ['DELETED', { name: 'statusReason', value: reason }]);
});

it('what a volume can not be is refused, and nothing is made', async () => {
  const before = await rows();
  const size = { sizeInGiB: 1 };
  const bad: [Partial<RunTaskCommandInput>, RegExp][] = [
    [{}, /volume 'data' of the task definition is configured at launch: it must be given/],
    [{ volumeConfigurations: launch(size, 'other') }, /'other' of volumeConfigurations is not one of the task definition's/],
    [{ volumeConfigurations: [...launch(size), ...launch(size)] }, /Only one volume configuration can be specified/],
    [{ volumeConfigurations: [{ name: 'data' }] }, /managedEBSVolume must be specified/],
    [{ volumeConfigurations: launch({}) }, /must have a sizeInGiB or a snapshotId/],
    [{ volumeConfigurations: launch({ ...size, roleArn: 'r' }) }, /roleArn 'r' is not the ARN of an IAM role/],
    [
      { volumeConfigurations: launch({ sizeInGiB: 3, volumeType: 'io1', iops: 100 }) },
      /Volume of 3GiB is too small for volume type io1; minimum is 4GiB/,
    ],
    [{ volumeConfigurations: launch({ ...size, volumeType: 'standard' }) }, /standard, is not supported on Fargate/],
    [{ volumeConfigurations: launch({ ...size, volumeType: 'gp4' }) }, /volumeType 'gp4' is not one of/],
    [{ volumeConfigurations: launch({ ...size, volumeType: 'gp2', throughput: 125 }) }, /throughput is not supported for gp2/],
    [
      { volumeConfigurations: launch({ ...size, filesystemType: 'ntfs' }) },
      /filesystemType 'ntfs' can't be used by Linux tasks: use ext3, ext4, xfs/,
    ],
    [{ volumeConfigurations: launch({ ...size, volumeInitializationRate: 100 }) }, /only with a snapshotId/],
    [{ volumeConfigurations: launch({ snapshotId: 'x' }) }, /Invalid id: "x" \(expecting "snap-..."\)/],
    [{ volumeConfigurations: launch({ snapshotId: 'snap-0123456789abcdef9' }) }, /The snapshot 'snap-0123456789abcdef9' does not exist/],
    [{ volumeConfigurations: launch({ snapshotId: 'snap-0123456789abcdef1' }) }, /is in the state 'pending'/],
    [{ volumeConfigurations: launch({ snapshotId: 'snap-0123456789abcdef0', sizeInGiB: 7 }) }, /expect size >= 8GB/],
    [
      { volumeConfigurations: launch({ snapshotId: 'snap-0123456789abcdef0', volumeType: 'io1' }) },
      /iops must be specified for io1 volumes/,
    ],
    [
      { volumeConfigurations: launch({ ...size, tagSpecifications: [{ resourceType: 'volume', propagateTags: 'SERVICE' }] }) },
      /'SERVICE' is not valid here/,
    ],
    [{ taskDefinition: 'web', volumeConfigurations: launch(size) }, /'data' of volumeConfigurations is not one of/],
  ];
  for (const [change, message] of bad) await assert.rejects(run(change), { name: 'InvalidParameterException', message });
  assert.deepEqual(await rows(), before);
  await run({ volumeConfigurations: launch({ snapshotId: 'snap-0123456789abcdef0' }) });
  const volume = (await rows()).volumes.find(({ desired }) => desired.snapshotId !== null);
  assert.deepEqual([volume?.desired.sizeGib, volume?.desired.type, volume?.desired.task?.deleteOnTermination], [8, 'gp2', true]);
});

it('a service has the configuration in its deployment, and a revision in its recipe', async () => {
  const networkConfiguration = { awsvpcConfiguration: { subnets: platform.subnets } };
  const input = { serviceName: 's', taskDefinition: 'ebs', desiredCount: 1, launchType: 'FARGATE' as const, networkConfiguration };
  await assert.rejects(platform.ecs.send(new CreateServiceCommand(input)), /must be given in volumeConfigurations/);
  const tagSpecifications = [{ resourceType: 'volume' as const, propagateTags: 'SERVICE' as const }];
  const volumeConfigurations = [{ name: 'data', managedEBSVolume: { roleArn, sizeInGiB: 5, tagSpecifications } }];
  await platform.ecs.send(new CreateServiceCommand({ ...input, volumeConfigurations, tags: [{ key: 'of', value: 'service' }] }));
  const { services: [service] = [] } = await platform.ecs.send(new DescribeServicesCommand({ services: ['s'] }));
  assert.deepEqual(service?.deployments?.[0]?.volumeConfigurations, volumeConfigurations);
  const [revision] = await platform.store.read((tx) => tx.serviceRevisions.list({ ...scope, cluster: 'default', name: 's' }));
  const [volume] = revision!.desired.template.volumes;
  assert.ok(volume?.kind === 'block' && volume.from.by === 'launch');
  assert.deepEqual([volume.volumeId, volume.sizeGib, volume.from.deleteOnTermination, volume.from.tags], ['', 5, true, [{ key: 'of', value: 'service' }]]); // prettier-ignore
});

it('a named volume needs the extension; it is made once, and its tasks share it', async () => {
  const docker = (change: object = {}) => ({ dockerVolumeConfiguration: { scope: 'shared' as const, autoprovision: true, ...change } });
  const tags = [{ key: 'berth:extensions', value: 'volumes' }];
  await assert.rejects(
    register(withVolume('named', docker())),
    /Fargate compatible task definitions do not support dockerVolumeConfiguration/,
  );
  for (const [change, message] of [
    [{ driver: 'rexray' }, /asks for the driver 'rexray': only local is here/],
    [{ driverOpts: { type: 'nfs' } }, /has the driver option 'type': only size is known/],
    [{ driverOpts: { size: 'much' } }, /Invalid volume size 'much'/],
    [{ driverOpts: { size: '17t' } }, /from 1 byte to 16384 GiB/],
    [{ scope: 'task' }, /autoprovision of volume 'data' can be set only if its scope is shared/],
  ] as const) {
    await assert.rejects(register(withVolume('named', docker(change), { tags })), message);
  }
  await register(withVolume('named', docker({ driverOpts: { size: '1500m' }, labels: { a: 'b' } }), { tags }));
  await register(withVolume('absent', docker({ autoprovision: false }), { tags, volumes: [{ name: 'absent', ...docker({ autoprovision: false }) }], containerDefinitions: web.containerDefinitions! })); // prettier-ignore
  await assert.rejects(
    run({ taskDefinition: 'named' }),
    /the named volume 'data', which the cluster 'default' doesn't allow: its tag berth:extensions must name 'volumes'/,
  );
  await platform.ecs.send(new CreateClusterCommand({ clusterName: 'lasting', tags }));
  await assert.rejects(
    run({ cluster: 'lasting', taskDefinition: 'absent' }),
    /There is no volume named 'absent', and its autoprovision is false/,
  );
  await run({ cluster: 'lasting', taskDefinition: 'named', count: 2 });
  const { volumes, tasks } = await rows();
  const [volume, ...others] = volumes.filter(({ desired }) => desired.name !== null);
  assert.equal(others.length, 0);
  assert.deepEqual([volume?.desired.name, volume?.desired.sizeGib, volume?.desired.task], ['data', 2, null]);
  assert.deepEqual(volume?.desired.tags, [{ key: 'a', value: 'b' }, { key: 'berth:volume', value: 'data' }]); // prettier-ignore
  const having = tasks.filter(({ desired }) => desired.family === 'named').flatMap(({ desired }) => desired.spec.volumes);
  assert.deepEqual(having.map((one) => one.kind === 'block' && one.volumeId), [volume?.key.id, volume?.key.id]); // prettier-ignore
  const { tasks: [shown] = [] } = await run({ cluster: 'lasting', taskDefinition: 'named' });
  assert.ok(!shown?.attachments?.some(({ type }) => type === 'AmazonElasticBlockStorage'));
});
