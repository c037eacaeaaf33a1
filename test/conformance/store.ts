/** What every store must do. Run by the tests of each kind: `storeConformance('sqlite', make)`. */
import { afterEach, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { isFault } from '#base/fault.ts';
import type { FaultCode } from '#base/fault.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskDesired, TaskKey, TaskPlacement } from '#domain/task.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { Store } from '#store/types.ts';
import { services } from './store-services.ts';

export const scope = { account: '123456789012', region: 'us-east-1' };
const elsewhere = { account: '123456789012', region: 'eu-west-1' };
const fails = (code: FaultCode) => (error: unknown) => isFault(error, code);

export function taskKey(id: string, cluster = 'default'): TaskKey {
  return { ...scope, cluster, id };
}

export function taskDesired(change: Partial<TaskDesired> = {}): TaskDesired {
  const spec: TaskSpec = {
    cpuMillis: 250,
    memoryBytes: 512 * 1024 ** 2,
    ephemeralBytes: 21 * 1024 ** 3,
    isolation: 'auto',
    platform: { os: 'linux', arch: 'amd64' },
    pidMode: 'container',
    sysctls: {},
    volumes: [],
    containers: [],
  };
  return {
    status: 'RUNNING',
    createdAt: 1,
    stop: null,
    spec,
    network: { vpcId: 'vpc-1', subnetId: 'subnet-1', securityGroupIds: [], publicIp: false },
    family: 'web',
    revision: 1,
    group: 'family:web',
    startedBy: null,
    tags: [],
    launchType: 'FARGATE',
    capacityProvider: null,
    platformVersion: '1.4.0',
    enableExec: false,
    front: { anything: [1, { deep: true }] },
    service: null,
    protectedUntil: null,
    injectEndpoint: true,
    ...change,
  };
}

function loadBalancerWish() {
  return {
    id: '0'.repeat(16),
    type: 'application' as const,
    scheme: 'internal' as const,
    ipAddressType: 'ipv4',
    vpcId: 'vpc-1',
    subnetIds: ['subnet-1'],
    securityGroupIds: [],
    attributes: {},
    tags: [],
    createdAt: 1,
  };
}

export function taskPlacement(change: Partial<TaskPlacement> = {}): TaskPlacement {
  return { hostId: 'h1', fence: 1, eniId: 'eni-1', attachmentId: 'a', ip: '10.0.0.5', mac: '02:00:00:00:00:05', at: 5, ...change };
}

export function storeConformance(kind: string, make: () => Promise<Store>): void {
  describe(`store conformance: ${kind}`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await make();
    });
    afterEach(() => store.close());
    wholeRecords(() => store);
    tasks(() => store);
    transactions(() => store);
    services(() => store);
  });
}

function wholeRecords(store: () => Store): void {
  const cluster = (name: string, at = scope) => ({
    key: { ...at, name },
    status: 'ACTIVE' as const,
    createdAt: 7,
    tags: [{ key: 'a', value: 'b' }],
    settings: [],
    configuration: null,
    capacityProviders: ['FARGATE'],
    defaultStrategy: [],
    serviceConnectDefaults: null,
  });

  test('a record comes back whole, with a revision that grows by one', async () => {
    const made = await store().write((tx) => tx.clusters.put(cluster('one'), 0));
    assert.equal(made.revision, 1);
    assert.deepEqual(await store().read((tx) => tx.clusters.get({ ...scope, name: 'one' })), { ...cluster('one'), revision: 1 });
    const changed = await store().write((tx) => tx.clusters.put({ ...made, status: 'INACTIVE' }, 1));
    assert.equal(changed.revision, 2);
    assert.deepEqual(await store().read((tx) => tx.clusters.get(made.key)), { ...cluster('one'), status: 'INACTIVE', revision: 2 });
  });

  test('a revision that is not the newest is refused', async () => {
    await store().write((tx) => tx.clusters.put(cluster('one'), 0));
    for (const expected of [0, 2]) {
      await assert.rejects(
        store().write((tx) => tx.clusters.put(cluster('one'), expected)),
        fails('RevisionConflict'),
      );
    }
    await assert.rejects(
      store().write((tx) => tx.clusters.put(cluster('none'), 1)),
      fails('RevisionConflict'),
    );
  });

  test('lists by any part of the key, ordered by key', async () => {
    await store().write(async (tx) => {
      for (const name of ['b', 'a']) await tx.clusters.put(cluster(name), 0);
      await tx.clusters.put(cluster('a', elsewhere), 0);
    });
    const names = async (partial: object) => (await store().read((tx) => tx.clusters.list(partial))).map((c) => [c.key.region, c.key.name]);
    assert.deepEqual(await names(scope), [
      ['us-east-1', 'a'],
      ['us-east-1', 'b'],
    ]);
    assert.deepEqual(await names({ name: 'a' }), [
      ['eu-west-1', 'a'],
      ['us-east-1', 'a'],
    ]);
    assert.equal((await names({})).length, 3);
  });

  test('a deleted record is gone', async () => {
    await store().write((tx) => tx.clusters.put(cluster('one'), 0));
    assert.equal(await store().write((tx) => tx.clusters.delete({ ...scope, name: 'one' })), true);
    assert.equal(await store().write((tx) => tx.clusters.delete({ ...scope, name: 'one' })), false);
    assert.equal(await store().read((tx) => tx.clusters.get({ ...scope, name: 'one' })), undefined);
  });

  test('revision numbers of a family are remembered past the definitions', async () => {
    const definition = (taskRevision: number) => ({
      key: { ...scope, family: 'web', taskRevision },
      status: 'ACTIVE' as const,
      registeredAt: 1,
      registeredBy: 'me',
      deregisteredAt: null,
      tags: [],
      definition: {},
    });
    assert.equal(await store().read((tx) => tx.lastTaskRevision(scope, 'web')), 0);
    await store().write(async (tx) => {
      for (const n of [1, 2, 10]) await tx.taskDefinitions.put(definition(n), 0);
      await tx.taskDefinitions.delete(definition(10).key);
    });
    assert.equal(await store().read((tx) => tx.lastTaskRevision(scope, 'web')), 10);
    assert.equal(await store().read((tx) => tx.lastTaskRevision(elsewhere, 'web')), 0);
    const listed = await store().read((tx) => tx.taskDefinitions.list({ ...scope, family: 'web' }));
    assert.deepEqual(
      listed.map((d) => d.key.taskRevision),
      [1, 2],
    );
  });
}

function tasks(store: () => Store): void {
  const insert = (id: string, change: Partial<TaskDesired> = {}, cluster = 'default') =>
    store().write((tx) => tx.tasks.insert(taskKey(id, cluster), taskDesired(change), newTaskObserved(taskDesired().spec)));

  test('each writer sets its own column, and all move the one revision', async () => {
    const made = await insert('a');
    assert.deepEqual(made, {
      key: taskKey('a'),
      revision: 1,
      desired: taskDesired(),
      placement: null,
      observed: newTaskObserved(taskDesired().spec),
    });
    await store().write((tx) => tx.tasks.setPlacement(made.key, taskPlacement(), 1));
    const observed = { ...made.observed, status: 'RUNNING' as const, startedAt: 9 };
    await store().write((tx) => tx.tasks.setObserved(made.key, observed, 2));
    const desired = taskDesired({ status: 'STOPPED', stop: { code: 'UserInitiated', reason: 'enough', at: 10 } });
    const last = await store().write((tx) => tx.tasks.setDesired(made.key, desired, 3));
    assert.deepEqual(last, { key: made.key, revision: 4, desired, placement: taskPlacement(), observed });
    assert.deepEqual(await store().read((tx) => tx.tasks.byId('a')), last);
    assert.deepEqual(await store().read((tx) => tx.tasks.get(made.key)), last);
    assert.equal(await store().read((tx) => tx.tasks.get(taskKey('a', 'other'))), undefined);
  });

  test('stale revisions, backward moves, repeated ids and unknown tasks are refused', async () => {
    const made = await insert('a');
    const running = { ...made.observed, status: 'RUNNING' as const };
    await store().write((tx) => tx.tasks.setObserved(made.key, running, 1));
    await assert.rejects(
      store().write((tx) => tx.tasks.setDesired(made.key, made.desired, 1)),
      fails('RevisionConflict'),
    );
    await assert.rejects(
      store().write((tx) => tx.tasks.setObserved(made.key, made.observed, 2)),
      fails('Internal'),
    );
    await assert.rejects(insert('a'), fails('RevisionConflict'));
    await assert.rejects(
      store().write((tx) => tx.tasks.setDesired(taskKey('b'), made.desired, 1)),
      fails('TaskNotFound'),
    );
  });

  test('lists by every part of the filter', async () => {
    await insert('a');
    await insert('b', { family: 'db', group: 'service:db', startedBy: 'me' });
    await insert('c', {}, 'other');
    const d = await insert('d', { status: 'STOPPED', stop: { code: 'UserInitiated', reason: '', at: 2 } });
    const e = await insert('e');
    await store().write((tx) => tx.tasks.setPlacement(e.key, taskPlacement(), 1));
    await store().write((tx) =>
      tx.tasks.setObserved(e.key, { ...e.observed, status: 'DEPROVISIONING', stop: { code: 'EssentialContainerExited', reason: 'x' } }, 2),
    );
    await store().write((tx) => tx.tasks.setObserved(d.key, { ...d.observed, status: 'STOPPED', stoppedAt: 50 }, 1));

    const ids = async (filter: Parameters<Parameters<Parameters<Store['read']>[0]>[0]['tasks']['list']>[0]) => {
      const listed = await store().read((tx) => tx.tasks.list(filter));
      const counted = await store().read((tx) => tx.tasks.count(filter));
      if (filter.limit === undefined) assert.equal(counted, listed.length);
      return listed.map((t) => t.key.id).join('');
    };
    assert.equal(await ids({}), 'abcde');
    assert.equal(await ids(elsewhere), '');
    assert.equal(await ids({ ...scope, cluster: 'default' }), 'abde');
    assert.equal(await ids({ family: 'db' }), 'b');
    assert.equal(await ids({ group: 'family:web' }), 'acde');
    assert.equal(await ids({ startedBy: 'me' }), 'b');
    assert.equal(await ids({ hostId: 'h1' }), 'e');
    assert.equal(await ids({ desired: 'RUNNING' }), 'abc');
    assert.equal(await ids({ desired: 'STOPPED' }), 'de');
    assert.equal(await ids({ live: true }), 'abce');
    assert.equal(await ids({ live: false }), 'd');
    assert.equal(await ids({ unplaced: true, live: true }), 'abc');
    assert.equal(await ids({ unplaced: false }), 'e');
    assert.equal(await ids({ status: ['STOPPED', 'DEPROVISIONING'] }), 'de');
    assert.equal(await ids({ stoppedBefore: 51 }), 'd');
    assert.equal(await ids({ stoppedBefore: 50 }), '');
    assert.equal(await ids({ afterId: 'b', limit: 2 }), 'cd');
  });

  test('slots are those of live tasks; the last address given out is known past them', async () => {
    const a = await insert('a');
    const b = await insert('b');
    await store().write((tx) => tx.tasks.setPlacement(a.key, taskPlacement({ ip: '10.0.0.8', at: 5 }), 1));
    await store().write((tx) => tx.tasks.setPlacement(b.key, taskPlacement({ ip: '10.0.0.9', at: 6 }), 1));
    await store().write((tx) => tx.tasks.setObserved(b.key, { ...b.observed, status: 'STOPPED', stoppedAt: 9 }, 2));
    const slot = {
      id: 'a',
      desired: 'RUNNING',
      status: 'PROVISIONING',
      hostId: 'h1',
      subnetId: 'subnet-1',
      ip: '10.0.0.8',
      placedAt: 5,
      cpuMillis: 250,
      memoryBytes: 512 * 1024 ** 2,
    };
    assert.deepEqual(await store().read((tx) => tx.tasks.slots()), [slot]);
    assert.deepEqual(await store().read((tx) => tx.tasks.slots('h1')), [slot]);
    assert.deepEqual(await store().read((tx) => tx.tasks.slots('h2')), []);
    assert.equal(await store().read((tx) => tx.tasks.lastAddress('subnet-1')), '10.0.0.9');
    assert.equal(await store().read((tx) => tx.tasks.lastAddress('subnet-2')), undefined);
  });

  test('endpoints are live tasks with the tag, and the last that stopped of each name', async () => {
    const named = (name: string) => ({ tags: [{ key: 'berth:endpoint', value: name }] });
    const stop = async (id: string, stoppedAt: number) => {
      const task = await insert(id, named(id.slice(0, -1)));
      await store().write((tx) => tx.tasks.setObserved(task.key, { ...task.observed, status: 'STOPPED', stoppedAt }, 1));
    };
    await insert('plain');
    await insert('web1', named('web'));
    await stop('web2', 30);
    await stop('web3', 20);
    await stop('api1', 10);
    const listed = await store().read((tx) => tx.tasks.endpoints());
    assert.deepEqual(listed.map((task) => task.key.id).toSorted(), ['api1', 'web1', 'web2']);
  });

  test('a deleted task is gone', async () => {
    await insert('a');
    assert.equal(await store().write((tx) => tx.tasks.delete(taskKey('a', 'other'))), false);
    assert.equal(await store().write((tx) => tx.tasks.delete(taskKey('a'))), true);
    assert.equal(await store().read((tx) => tx.tasks.byId('a')), undefined);
  });
}

function transactions(store: () => Store): void {
  const setting = (name: string, value: string) => ({ key: { ...scope, principal: 'default', name }, value });
  const value = async (name: string) => (await store().read((tx) => tx.settings.get({ ...scope, principal: 'default', name })))?.value;

  test('a write that throws leaves nothing, and does not touch those that wait with it', async () => {
    const good = store().write((tx) => tx.settings.put(setting('good', '1'), 0));
    const bad = store().write(async (tx) => {
      await tx.settings.put(setting('bad', '1'), 0);
      throw new Error('changed my mind');
    });
    const alsoGood = store().write((tx) => tx.settings.put(setting('also', '1'), 0));
    await assert.rejects(bad, fails('Internal'));
    await Promise.all([good, alsoGood]);
    assert.deepEqual([await value('good'), await value('bad'), await value('also')], ['1', undefined, '1']);
  });

  test('writes are serial: of two that read the same revision one wins', async () => {
    await store().write((tx) => tx.settings.put(setting('n', '0'), 0));
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => store().write((tx) => tx.settings.put(setting('n', String(n)), 1))));
    assert.deepEqual(
      outcomes.map((o) => o.status),
      ['fulfilled', 'rejected', 'rejected'],
    );
    await Promise.all(
      Array.from({ length: 50 }, () =>
        store().write(async (tx) => {
          const now = await tx.settings.get(setting('n', '').key);
          assert.ok(now !== undefined);
          await tx.settings.put(setting('n', String(Number(now.value) + 1)), now.revision);
        }),
      ),
    );
    assert.equal(await value('n'), '51');
  });

  test('a read sees no half of a write', async () => {
    await store().write(async (tx) => {
      await tx.settings.put(setting('x', '0'), 0);
      await tx.settings.put(setting('y', '0'), 0);
    });
    const write = async (n: number) =>
      store().write(async (tx) => {
        await tx.settings.put(setting('x', String(n)), n);
        await tx.settings.put(setting('y', String(n)), n);
      });
    const read = () =>
      store().read(async (tx) => {
        const x = await tx.settings.get(setting('x', '').key);
        const y = await tx.settings.get(setting('y', '').key);
        assert.equal(x?.value, y?.value);
      });
    const work: Promise<unknown>[] = [];
    for (let n = 1; n <= 20; n++) work.push(write(n), read(), read());
    await Promise.all(work);
  });

  test('a transaction can not be used after its end, and a read can not write', async () => {
    let kept: { settings: { get(key: object): Promise<unknown> } } | undefined;
    await store().write(async (tx) => void (kept = tx as never));
    await assert.rejects(async () => await kept?.settings.get(setting('x', '').key), fails('Internal'));
    await assert.rejects(
      store().read((tx) => (tx as never as { settings: { put(r: object, e: number): Promise<void> } }).settings.put(setting('x', '1'), 0)),
      fails('Internal'),
    );
  });

  test('a change is hinted to those who asked for its table, until they stop', async () => {
    let seen = 0;
    const stop = store().onChange(['settings', 'hosts'], () => seen++);
    await store().write((tx) => tx.settings.put(setting('a', '1'), 0));
    await turn();
    assert.equal(seen, 1);
    await store().write((tx) => tx.tasks.insert(taskKey('a'), taskDesired(), newTaskObserved(taskDesired().spec)));
    await store()
      .write(async (tx) => {
        await tx.settings.put(setting('b', '1'), 0);
        throw new Error('no');
      })
      .catch(() => {});
    await turn();
    assert.equal(seen, 1);
    stop();
    await store().write((tx) => tx.settings.put(setting('c', '1'), 0));
    await turn();
    assert.equal(seen, 1);
  });

  test('a lease has one holder at a time, and its fence grows with each change of holder', async () => {
    const take = (holder: string, now: number) => store().write((tx) => tx.takeLease('placement', holder, now, 100));
    assert.deepEqual(await take('a', 0), { name: 'placement', holder: 'a', fence: 1, expiresAt: 100 });
    assert.equal(await take('b', 99), undefined);
    assert.equal((await take('a', 99))?.fence, 1);
    assert.equal(await take('b', 150), undefined);
    assert.deepEqual(await take('b', 199), { name: 'placement', holder: 'b', fence: 2, expiresAt: 299 });
    assert.equal((await take('a', 300))?.fence, 3);
    await store().write((tx) => tx.expireLease('placement'));
    assert.equal((await take('b', 301))?.fence, 4);
  });

  test('client tokens expire', async () => {
    const token = (name: string, expiresAt: number) => ({
      key: { ...scope, cluster: 'c', operation: 'RunTask', token: name },
      paramsHash: '',
      taskIds: [],
      expiresAt,
    });
    await store().write(async (tx) => {
      for (const n of [1, 2, 3, 4]) await tx.clientTokens.put(token(`t${n}`, n), 0);
    });
    assert.equal(await store().write((tx) => tx.expireClientTokens(4, 2)), 2);
    assert.equal(await store().write((tx) => tx.expireClientTokens(4, 2)), 1);
    const left = await store().read((tx) => tx.clientTokens.list({}));
    assert.deepEqual(
      left.map((t) => t.key.token),
      ['t4'],
    );
  });

  test('two writers of a record have a column each and one revision', async () => {
    const key = { ...scope, name: 'lb' };
    const wish = loadBalancerWish();
    const observed = { ip: null, subnetId: null, state: 'provisioning' as const, reason: null };
    const made = await store().write((tx) => tx.loadBalancers.insert(key, wish, observed));
    assert.equal(made.revision, 1);
    await assert.rejects(
      store().write((tx) => tx.loadBalancers.insert(key, wish, observed)),
      fails('RevisionConflict'),
    );
    await store().write((tx) => tx.loadBalancers.setObserved(key, { ...observed, ip: '10.0.0.9' }, 1));
    await assert.rejects(
      store().write((tx) => tx.loadBalancers.setDesired(key, wish, 1)),
      fails('RevisionConflict'),
    );
    const changed = { ...wish, scheme: 'internet-facing' as const };
    await store().write((tx) => tx.loadBalancers.setDesired(key, changed, 2));
    const stored = await store().read((tx) => tx.loadBalancers.get(key));
    assert.deepEqual(stored, { key, revision: 3, desired: changed, observed: { ...observed, ip: '10.0.0.9' } });
    assert.equal((await store().read((tx) => tx.loadBalancers.list(elsewhere))).length, 0);
    assert.deepEqual(await store().read((tx) => tx.loadBalancers.list(scope)), [stored]);
    assert.equal(await store().write((tx) => tx.loadBalancers.delete(key)), true);
    assert.equal(await store().write((tx) => tx.loadBalancers.delete(key)), false);
  });

  test('after close everything is refused', async () => {
    const last = store().write((tx) => tx.settings.put(setting('a', '1'), 0));
    await store().close();
    assert.equal((await last).value, '1');
    await assert.rejects(
      store().write((tx) => tx.settings.put(setting('b', '1'), 0)),
      fails('Unavailable'),
    );
    await assert.rejects(value('a'), fails('Unavailable'));
  });
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
