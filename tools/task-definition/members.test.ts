/** What the table of members says of each is true: tried through the API, with the stock client. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateClusterCommand, DescribeTaskDefinitionCommand, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import type { ContainerDefinition, RegisterTaskDefinitionRequest, RunTaskRequest, TaskDefinition } from '@aws-sdk/client-ecs';
import { account, region, startTestPlatform } from '../../src/front/ecs/test-platform.ts';
import type { TestPlatform } from '../../src/front/ecs/test-platform.ts';
import { dropLeaf, entries, hasLeaf, operations, pathsOf } from './members.ts';
import type { Entry, Operation } from './status.ts';

let platform: TestPlatform;
before(async () => {
  platform = await startTestPlatform();
  await platform.ecs.send(new CreateClusterCommand({ clusterName: 'other', capacityProviders: ['FARGATE', 'FARGATE_SPOT'] }));
  await platform.ecs.send(new CreateClusterCommand({ clusterName: 'lasting', tags: [{ key: 'berth:extensions', value: 'volumes' }] }));
  await platform.store.write((tx) => tx.snapshots.insert({ account, region, id: 'snap-0123456789abcdef0' }, wished, taken));
});
after(() => platform?.close());

const wished = {
  createdAt: 1,
  volumeId: 'vol-1',
  sizeGib: 8,
  encrypted: false,
  kmsKeyId: null,
  description: '',
  tags: [],
  deletedAt: null,
};
const taken = { state: 'completed' as const, hostId: 'host-1', completedAt: 1, bytes: 1, error: null };

type Trial = { definition: RegisterTaskDefinitionRequest; call: RunTaskRequest };

const main: ContainerDefinition = { name: 'main', image: 'busybox' };
const side: ContainerDefinition = { name: 'side', image: 'busybox', essential: false, mountPoints: [{ sourceVolume: 'v', containerPath: '/v' }], healthCheck: { command: ['CMD', 'true'] } }; // prettier-ignore

function trialOf(entry: Entry): Trial {
  const definition: RegisterTaskDefinitionRequest = {
    family: 'm',
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: '1024',
    memory: '2048',
    executionRoleArn: 'arn:aws:iam::123456789012:role/execution',
    volumes: [{ name: 'v' }],
    containerDefinitions: [main, side],
    ...entry.definition,
  };
  const [first = main, ...others] = definition.containerDefinitions ?? [];
  const containers = [{ ...first, ...entry.container }, ...others];
  const vpc = { subnets: platform.subnets.slice(0, 1), assignPublicIp: 'ENABLED' as const };
  const call: RunTaskRequest = {
    taskDefinition: 'm',
    cluster: 'other',
    launchType: 'FARGATE',
    networkConfiguration: { awsvpcConfiguration: vpc },
    ...entry.call,
  };
  return { definition: { ...definition, containerDefinitions: containers }, call };
}

const drop = (trial: Trial, operation: Operation, path: string): Trial =>
  operation === 'RunTask' ? { ...trial, call: dropLeaf(trial.call, path) } : { ...trial, definition: dropLeaf(trial.definition, path) };
const partOf = (trial: Trial, operation: Operation) => (operation === 'RunTask' ? trial.call : trial.definition);

/** The definition as it is read back, and what the hosts are told; throws the first refusal. */
async function tryOut({ definition, call }: Trial): Promise<{ read: TaskDefinition; told: string }> {
  const { taskDefinition } = await platform.ecs.send(new RegisterTaskDefinitionCommand(definition));
  const { taskDefinition: read } = await platform.ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: taskDefinition?.taskDefinitionArn })); // prettier-ignore
  const { tasks = [], failures } = await platform.ecs.send(new RunTaskCommand(call));
  assert.deepEqual(failures, []);
  const ids = new Set(tasks.map((task) => task.taskArn?.split('/').at(-1)));
  const rows = (await platform.store.read((tx) => tx.tasks.list({ account, region }))).filter((task) => ids.has(task.key.id));
  const told = rows.map(({ key, desired }) => {
    // What the front door shows is not what the host does; times and revisions differ in any case, and a stream is named by the task.
    const { front: _front, createdAt: _createdAt, revision: _revision, ...rest } = desired;
    return { cluster: key.cluster, ...rest };
  });
  return { read: read ?? {}, told: JSON.stringify(told, (_, value: unknown) => (typeof value === 'string' ? value.replaceAll(/[0-9a-f]{32}|(?<=vol-)[0-9a-f]{17}/g, 'ID') : value)) }; // prettier-ignore
}

const refusalOf = (trial: Trial): Promise<string> => tryOut(trial).then(() => 'taken', (error: unknown) => (error as Error).message); // prettier-ignore
const titleOf = (entry: Entry) => `${[...new Set([entry.at, entry.leaves.join(', ')])].filter(Boolean).join(': ')}`;

for (const operation of operations) {
  describe(operation, () => {
    for (const entry of entries[operation]) {
      it(`${titleOf(entry)}: ${entry.is}`, () => (entry.says === undefined ? isTaken(operation, entry) : isRefused(operation, entry)));
    }
  });
}

async function isRefused(operation: Operation, entry: Entry): Promise<void> {
  const trial = trialOf(entry);
  const { says = '' } = entry;
  for (const path of pathsOf(entry)) assert.ok(hasLeaf(partOf(trial, operation), path), `the example has no ${path}`);
  const refusal = await refusalOf(trial);
  assert.ok(refusal.includes(says), refusal);
}

/** Nothing that was given is lost; and, where it works, nothing is ignored: without the member another task is asked for, or none. */
async function isTaken(operation: Operation, entry: Entry): Promise<void> {
  const trial = trialOf(entry);
  const whole = await tryOut(trial);
  for (const path of pathsOf(entry)) {
    if (path.endsWith('securityGroups[]')) continue; // The default group is taken where none is given.
    assert.ok(hasLeaf(partOf(trial, operation), path), `the example has no ${path}`);
    const shown = operation === 'RunTask' || path.startsWith('tags') || hasLeaf(whole.read, path);
    assert.ok(shown, `${path} is not read back`);
    if (entry.is !== 'works' || entry.elsewhere?.some((leaf) => path.endsWith(leaf)) === true) continue;
    const other = await tryOut(drop(trial, operation, path)).catch(() => undefined);
    assert.notEqual(other?.told, whole.told, `${path} is ignored: without it the same is run`);
  }
}
