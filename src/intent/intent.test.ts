import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { virtualClock, type VirtualClock } from '#base/clock.ts';
import { isFault, type FaultCode } from '#base/fault.ts';
import { seededRandom } from '#base/random.ts';
import { containsCidr, overlaps, parseCidr } from '#domain/cidr.ts';
import type { HostRecord } from '#domain/records.ts';
import { containerSpec } from '#domain/samples.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import {
  CAPACITY_UNAVAILABLE,
  createCluster,
  defaultVpcId,
  deleteAccountSetting,
  deleteCluster,
  deleteTaskDefinitions,
  deregisterTaskDefinition,
  effectiveSetting,
  ensureRegion,
  findTaskDefinition,
  listTags,
  putAccountSetting,
  putClusterCapacityProviders,
  registerTaskDefinition,
  rootArn,
  runTask,
  stopTask,
  tagResource,
  untagResource,
  updateCluster,
  type IntentDeps,
  type RunTaskWish,
} from './index.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const root = rootArn(scope);
const GIB = 1024 ** 3;
let store: Store;
let clock: VirtualClock;
let deps: IntentDeps;

beforeEach(async () => {
  store = await createSqliteStore({ path: ':memory:' });
  clock = virtualClock();
  deps = { store, clock, random: seededRandom(1) };
});
afterEach(() => store.close());

async function addHost(freeBytes = 20 * GIB, occupiedCidrs: string[] = []): Promise<void> {
  const host: Omit<HostRecord, 'revision'> = {
    key: { hostId: 'host-1' },
    status: 'CONNECTED',
    seenAt: clock.now(),
    usage: { freeMemoryBytes: freeBytes, freeDiskBytes: GIB, loadPercent: 0, tasks: 0, sandboxes: [] },
    info: {
      hostname: 'one',
      arch: 'amd64',
      cpuMillis: 2000,
      memoryBytes: 24 * GIB,
      reserveBytes: GIB,
      isolation: [{ kind: 'container', works: true, reason: '', accelerator: null, auto: true }],
      strictCapacity: false,
      occupiedCidrs,
      cidrSeed: 7,
    },
  };
  await store.write((tx) => tx.hosts.put(host, 0));
}

function spec(id: string): TaskSpec {
  return {
    cpuMillis: 250,
    memoryBytes: 512 * 1024 ** 2,
    ephemeralBytes: 20 * GIB,
    isolation: 'auto',
    platform: { os: 'linux', arch: 'amd64' },
    pidMode: 'container',
    sysctls: {},
    volumes: [],
    containers: [containerSpec({ name: `c-${id.slice(0, 4)}` })],
  };
}

async function subnetIds(): Promise<string[]> {
  return (await store.read((tx) => tx.subnets.list(scope))).map((subnet) => subnet.key.id);
}
async function wish(fields: Partial<RunTaskWish> = {}): Promise<RunTaskWish> {
  await ensureRegion(deps, scope);
  return {
    cluster: 'default',
    count: 1,
    family: 'web',
    revision: 1,
    spec,
    network: { subnetIds: await subnetIds(), securityGroupIds: [], publicIp: false },
    launchType: 'FARGATE',
    strategy: [],
    group: 'family:web',
    startedBy: null,
    tags: [],
    platformVersion: '1.4.0',
    enableExec: false,
    front: {},
    token: null,
    ...fields,
  };
}
const refusal = (code: FaultCode, text?: RegExp) => (error: unknown) => {
  assert.ok(isFault(error, code), String(error));
  if (text !== undefined) assert.match(error.message, text);
  return true;
};
const emptyCluster = {
  tags: [],
  settings: [],
  configuration: null,
  capacityProviders: [],
  defaultStrategy: [],
  serviceConnectDefaults: null,
};

describe('what every region has', () => {
  it('a default cluster at once, a network once a host says which ranges are free', async () => {
    await ensureRegion(deps, scope);
    const cluster = await store.read((tx) => tx.clusters.get({ ...scope, name: 'default' }));
    assert.deepEqual(cluster?.capacityProviders, ['FARGATE', 'FARGATE_SPOT']);
    assert.deepEqual(cluster?.defaultStrategy, [{ capacityProvider: 'FARGATE', weight: 1, base: 0 }]);
    assert.deepEqual(await store.read((tx) => tx.vpcs.list(scope)), []);
    await addHost(GIB, ['10.0.0.0/8']);
    await ensureRegion(deps, scope);
    const [vpc] = await store.read((tx) => tx.vpcs.list(scope));
    assert.ok(vpc !== undefined && vpc.isDefault && !overlaps(parseCidr(vpc.cidr), parseCidr('10.0.0.0/8')));
    const subnets = await store.read((tx) => tx.subnets.list(scope));
    assert.deepEqual(subnets.map((subnet) => subnet.zone).toSorted(), ['us-east-1a', 'us-east-1b', 'us-east-1c']);
    assert.deepEqual(subnets.map((subnet) => subnet.zoneId).toSorted(), ['use1-az1', 'use1-az2', 'use1-az3']);
    assert.ok(subnets.every((subnet) => containsCidr(parseCidr(vpc.cidr), parseCidr(subnet.cidr)) && subnet.cidr.endsWith('/20')));
    assert.ok(subnets.every((subnet) => /^subnet-0[0-9a-f]{16}$/.test(subnet.key.id)));
    const [group, ...more] = await store.read((tx) => tx.securityGroups.list(scope));
    assert.ok(more.length === 0 && group?.name === 'default' && group.vpcId === vpc.key.id);
  });

  it('is made once, with ids that stay, and its range is nobody else’s', async () => {
    await addHost();
    await ensureRegion(deps, scope);
    const before = await store.read((tx) => tx.subnets.list({}));
    await ensureRegion(deps, scope);
    assert.deepEqual(await store.read((tx) => tx.subnets.list({})), before);
    const other = { ...scope, region: 'ap-northeast-1' };
    await ensureRegion(deps, other);
    const vpcs = await store.read((tx) => tx.vpcs.list({}));
    assert.equal(new Set(vpcs.map((vpc) => vpc.cidr)).size, 2);
    assert.ok(vpcs.some((vpc) => vpc.key.id === defaultVpcId(other)));
    const zones = await store.read((tx) => tx.subnets.list(other));
    assert.ok(zones.some((subnet) => subnet.zoneId === 'apne1-az1'));
  });
});

describe('clusters', () => {
  it('creating twice gives the first one, in its region only', async () => {
    const first = await createCluster(deps, scope, root, { ...emptyCluster, name: 'c', tags: [{ key: 'a', value: 'b' }] });
    const second = await createCluster(deps, scope, root, { ...emptyCluster, name: 'c' });
    assert.deepEqual(second, first);
    const elsewhere = await createCluster(deps, { ...scope, region: 'eu-west-1' }, root, { ...emptyCluster, name: 'c' });
    assert.deepEqual(elsewhere.tags, []);
  });

  it('providers must be known, and a strategy’s be among the cluster’s', async () => {
    await assert.rejects(
      createCluster(deps, scope, root, { ...emptyCluster, name: 'c', capacityProviders: ['x'] }),
      refusal('InvalidParameter'),
    );
    const strategy = [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }];
    await createCluster(deps, scope, root, { ...emptyCluster, name: 'c' });
    await assert.rejects(putClusterCapacityProviders(deps, scope, 'c', ['FARGATE'], strategy), refusal('InvalidParameter'));
    const changed = await putClusterCapacityProviders(deps, scope, 'c', ['FARGATE_SPOT'], strategy);
    assert.deepEqual(changed.defaultStrategy, [{ capacityProvider: 'FARGATE_SPOT', weight: 1, base: 0 }]);
  });

  it('settings have closed names and values', async () => {
    await createCluster(deps, scope, root, { ...emptyCluster, name: 'c' });
    await assert.rejects(updateCluster(deps, scope, 'c', { settings: [{ name: 'x', value: 'y' }] }), refusal('InvalidParameter'));
    const changed = await updateCluster(deps, scope, 'c', { settings: [{ name: 'berth:endpoint-injection', value: 'disabled' }] });
    assert.deepEqual(changed.settings, [
      { name: 'containerInsights', value: 'disabled' },
      { name: 'berth:endpoint-injection', value: 'disabled' },
    ]);
  });

  it('one with live tasks stays; one that was deleted is gone, and may come back', async () => {
    await addHost();
    const { tasks } = await runTask(deps, scope, await wish());
    await assert.rejects(deleteCluster(deps, scope, 'default'), refusal('ClusterContainsTasks'));
    const [task] = tasks;
    assert.ok(task);
    await store.write((tx) => tx.tasks.setObserved(task.key, { ...task.observed, status: 'STOPPED' }, task.revision));
    assert.equal((await deleteCluster(deps, scope, 'default')).status, 'INACTIVE');
    await ensureRegion(deps, scope);
    await assert.rejects(deleteCluster(deps, scope, 'default'), refusal('ClusterNotFound', /^Cluster not found\.$/));
    assert.equal((await createCluster(deps, scope, root, { ...emptyCluster, name: undefined })).status, 'ACTIVE');
  });
});

describe('task definitions', () => {
  const register = (family = 'web') =>
    registerTaskDefinition(deps, scope, { family, definition: { family }, tags: [], registeredBy: root });
  const ref = (revision?: number) => ({ family: 'web', revision });

  it('revisions grow and are never used again', async () => {
    assert.deepEqual([(await register()).key.taskRevision, (await register()).key.taskRevision], [1, 2]);
    await deregisterTaskDefinition(deps, scope, ref(2));
    assert.equal((await store.read((tx) => findTaskDefinition(tx, scope, ref())))?.key.taskRevision, 1);
    assert.deepEqual(
      (await deleteTaskDefinitions(deps, scope, [ref(1), ref(2), ref(9)])).failures.map((failure) => failure.reason),
      ['TASK_DEFINITION_NOT_INACTIVE', 'TASK_DEFINITION_NOT_FOUND'],
    );
    assert.equal((await store.read((tx) => findTaskDefinition(tx, scope, ref(2))))?.status, 'DELETE_IN_PROGRESS');
    assert.equal((await register()).key.taskRevision, 3);
  });

  it('what was never registered can not be deregistered', async () => {
    await assert.rejects(deregisterTaskDefinition(deps, scope, ref(1)), refusal('ClientError'));
    await assert.rejects(deregisterTaskDefinition(deps, scope, ref()), refusal('ClientError'));
  });
});

describe('running tasks', () => {
  beforeEach(() => addHost());

  it('commits all of a call, spread over the subnets', async () => {
    const { tasks, failures } = await runTask(deps, scope, await wish({ count: 6 }));
    assert.deepEqual(failures, []);
    const perSubnet = Object.groupBy(tasks, (task) => task.desired.network.subnetId);
    assert.deepEqual(
      Object.values(perSubnet).map((group) => group?.length),
      [2, 2, 2],
    );
    const [first] = tasks;
    assert.ok(first);
    assert.equal(first.observed.status, 'PROVISIONING');
    assert.match(first.key.id, /^[0-9a-f]{32}$/);
    assert.equal(first.desired.spec.containers[0]?.name, `c-${first.key.id.slice(0, 4)}`);
    assert.equal(first.desired.injectEndpoint, true);
    assert.deepEqual(
      first.desired.network.securityGroupIds,
      (await store.read((tx) => tx.securityGroups.list(scope))).map((group) => group.key.id),
    );
    assert.deepEqual(await store.read((tx) => tx.tasks.get(first.key)), first);
  });

  it('the cluster may keep its endpoint to itself', async () => {
    await ensureRegion(deps, scope);
    await updateCluster(deps, scope, 'default', { settings: [{ name: 'berth:endpoint-injection', value: 'disabled' }] });
    const { tasks } = await runTask(deps, scope, await wish());
    assert.equal(tasks[0]?.desired.injectEndpoint, false);
  });

  it('a full host gives failures beside what fits', async () => {
    const host = await store.read((tx) => tx.hosts.get({ hostId: 'host-1' }));
    assert.ok(host);
    await store.write((tx) => tx.hosts.put({ ...host, info: { ...host.info, strictCapacity: true, memoryBytes: 2 * GIB } }, host.revision));
    const { tasks, failures } = await runTask(deps, scope, await wish({ count: 3 }));
    assert.equal(tasks.length, 2);
    assert.equal(failures[0]?.reason, CAPACITY_UNAVAILABLE);
    assert.match(failures[0]?.detail ?? '', /512 MiB/);
    assert.deepEqual((await runTask(deps, scope, await wish())).tasks, []);
  });

  it('a strategy divides by base and weight', async () => {
    const strategy = [
      { capacityProvider: 'FARGATE', weight: 1, base: 1 },
      { capacityProvider: 'FARGATE_SPOT', weight: 3 },
    ];
    const { tasks } = await runTask(deps, scope, await wish({ count: 9, launchType: null, strategy }));
    const counts = Object.groupBy(tasks, (task) => task.desired.capacityProvider ?? '');
    assert.deepEqual([counts['FARGATE']?.length, counts['FARGATE_SPOT']?.length], [3, 6]);
    const byDefault = await runTask(deps, scope, await wish({ launchType: null }));
    assert.equal(byDefault.tasks[0]?.desired.capacityProvider, 'FARGATE');
  });

  it('is refused in AWS’s words', async () => {
    const good = await wish();
    const network = good.network;
    const cases: [Partial<RunTaskWish>, FaultCode, RegExp][] = [
      [{ cluster: 'x' }, 'ClusterNotFound', /^Cluster not found\.$/],
      [
        { strategy: [{ capacityProvider: 'FARGATE', weight: 1 }] },
        'InvalidParameter',
        /^Specify either Launch Type or Capacity Provider Strategy, but not both\.$/,
      ],
      [{ launchType: 'EC2' }, 'InvalidParameter', /^No Container Instances were found in your cluster\.$/],
      [{ network: { ...network, subnetIds: [] } }, 'InvalidParameter', /^subnets can not be empty/],
      [{ network: { ...network, subnetIds: ['subnet-1'] } }, 'InvalidParameter', /The subnet ID 'subnet-1' does not exist/],
      [{ network: { ...network, securityGroupIds: ['sg-1'] } }, 'InvalidParameter', /The security group 'sg-1' does not exist/],
      [{ network: { ...network, subnetIds: Array.from({ length: 17 }, () => 'a') } }, 'InvalidParameter', /at most 16/],
    ];
    for (const [fields, code, text] of cases) await assert.rejects(runTask(deps, scope, { ...good, ...fields }), refusal(code, text));
    assert.equal(await store.read((tx) => tx.tasks.count({})), 0);
  });

  it('the same token gets the same tasks, for a day, unless the parameters differ', async () => {
    const token = { token: 'one', paramsHash: 'h' };
    const first = await runTask(deps, scope, await wish({ count: 2, token }));
    const again = await runTask(deps, scope, await wish({ count: 2, token }));
    assert.deepEqual(again, first);
    const other = await wish({ token: { ...token, paramsHash: 'other' } });
    await assert.rejects(runTask(deps, scope, other), (error: unknown) => {
      assert.ok(isFault(error, 'Conflict'));
      assert.deepEqual(
        error.details['taskIds'],
        first.tasks.map((task) => task.key.id),
      );
      return true;
    });
    await clock.advance(25 * 3600_000);
    assert.notDeepEqual((await runTask(deps, scope, other)).tasks, first.tasks);
  });

  it('two calls with one token at the same time make one set of tasks', async () => {
    const both = await wish({ count: 2, token: { token: 'two', paramsHash: 'h' } });
    const [a, b] = await Promise.all([runTask(deps, scope, both), runTask(deps, scope, both)]);
    assert.deepEqual(a, b);
    assert.equal(await store.read((tx) => tx.tasks.count({})), 2);
  });
});

describe('what goes beyond Fargate', () => {
  const builds = { cluster: 'builds', spec: (id: string) => ({ ...spec(id), containers: [containerSpec({ privileged: true })] }) };
  const switchedOn = [{ key: 'berth:extensions', value: 'privileged' }];

  it('is refused whole where the cluster does not allow it, or the host has no microVM', async () => {
    await addHost();
    await createCluster(deps, scope, root, { ...emptyCluster, name: 'builds' });
    const asked = await wish(builds);
    await assert.rejects(runTask(deps, scope, asked), refusal('InvalidParameter', /the cluster 'builds' doesn't allow/));
    await tagResource(deps, scope, { kind: 'cluster', name: 'builds' }, switchedOn);
    await assert.rejects(runTask(deps, scope, asked), refusal('InvalidParameter', /only a microVM may have/));
    assert.equal(await store.read((tx) => tx.tasks.count({ ...scope, cluster: 'builds' })), 0);
  });

  it('is bound to a microVM by name where that is what auto becomes', async () => {
    await addHost();
    await store.write(async (tx) => {
      const [one] = await tx.hosts.list({});
      assert.ok(one !== undefined);
      const kvm = { kind: 'microvm' as const, works: true, reason: '', accelerator: 'kvm' as const, auto: true };
      await tx.hosts.put({ ...one, info: { ...one.info, isolation: [kvm] } }, one.revision);
    });
    await createCluster(deps, scope, root, { ...emptyCluster, name: 'builds', tags: switchedOn });
    const { tasks } = await runTask(deps, scope, await wish(builds));
    assert.equal(tasks[0]?.desired.spec.isolation, 'microvm');
  });
});

describe('stopping a task', () => {
  it('keeps the first wish', async () => {
    await addHost();
    const [task] = (await runTask(deps, scope, await wish())).tasks;
    assert.ok(task);
    const stopped = await stopTask(deps, scope, 'default', task.key.id, { code: 'UserInitiated', reason: 'enough' });
    assert.deepEqual(stopped.desired.stop, { code: 'UserInitiated', reason: 'enough', at: clock.now() });
    const again = await stopTask(deps, scope, 'default', task.key.id, { code: 'UserInitiated', reason: 'more' });
    assert.equal(again.desired.stop?.reason, 'enough');
    await assert.rejects(
      stopTask(deps, scope, 'default', 'f'.repeat(32), { code: 'UserInitiated', reason: '' }),
      refusal('InvalidParameter', /^The referenced task was not found\.$/),
    );
  });
});

describe('tags and settings', () => {
  it('tags are added over, taken away and listed', async () => {
    await ensureRegion(deps, scope);
    const cluster = { kind: 'cluster', name: 'default' } as const;
    await tagResource(deps, scope, cluster, [
      { key: 'a', value: '1' },
      { key: 'b', value: '2' },
    ]);
    await tagResource(deps, scope, cluster, [{ key: 'a', value: '3' }]);
    await untagResource(deps, scope, cluster, ['b', 'c']);
    assert.deepEqual(await store.read((tx) => listTags(tx, scope, cluster)), [{ key: 'a', value: '3' }]);
    const fifty = Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: '' }));
    await assert.rejects(tagResource(deps, scope, cluster, fifty), refusal('InvalidParameter', /50/));
    await assert.rejects(tagResource(deps, scope, { kind: 'task', cluster: 'default', id: 'x' }, []), refusal('ResourceNotFound'));
  });

  it('a setting is the principal’s, else the account’s, else AWS’s', async () => {
    const user = `arn:aws:iam::${scope.account}:user/ann`;
    const value = () => store.read((tx) => effectiveSetting(tx, scope, user, 'containerInsights'));
    assert.equal(await value(), 'disabled');
    await putAccountSetting(deps, scope, 'default', 'containerInsights', 'enabled');
    assert.equal(await value(), 'enabled');
    await putAccountSetting(deps, scope, user, 'containerInsights', 'enhanced');
    assert.equal(await value(), 'enhanced');
    const cluster = await createCluster(deps, scope, user, { ...emptyCluster, name: 'c' });
    assert.deepEqual(cluster.settings, [{ name: 'containerInsights', value: 'enhanced' }]);
    assert.equal(await deleteAccountSetting(deps, scope, user, 'containerInsights'), 'enabled');
    await assert.rejects(putAccountSetting(deps, scope, user, 'toString', 'x'), refusal('InvalidParameter'));
    await assert.rejects(putAccountSetting(deps, scope, user, 'containerInsights', 'x'), refusal('InvalidParameter'));
  });
});
