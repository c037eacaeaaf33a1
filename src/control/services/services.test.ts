/** The service loop with the real planner, control loops and host agents; only sandboxes and time are not real. */
import { afterEach, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { limits } from '#base/limits.ts';
import { createCluster } from '../../../test/sim/cluster.ts';
import type { Cluster } from '../../../test/sim/cluster.ts';
import { ensureRegion } from '#intent/index.ts';
import type { TargetRecord } from '#domain/load-balancer.ts';
import { changeService, deploy, insertGroup, liveTasks, messages, readDeployment, readService, scope, serviceKey } from './testing.ts';

describe('service loop', () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await createCluster(1, 2);
    await cluster.heal();
    await cluster.clock.advance(1000);
    await ensureRegion({ store: cluster.store, clock: cluster.clock, random: cluster.random }, scope);
  });
  afterEach(() => cluster.close());

  const now = () => cluster.clock.now();
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) await cluster.clock.advance(Math.min(1000, left));
  };
  const running = async (name: string) => (await liveTasks(cluster.store, name)).filter((task) => task.observed.status === 'RUNNING');

  test('a new service gets its tasks, as its revision says, and reaches a steady state; then nothing is written', async () => {
    await deploy(cluster.store, now(), 'web', 1, { count: 3, container: { image: 'app:1' } });
    await pass(60_000);
    const tasks = await running('web');
    assert.equal(tasks.length, 3);
    const zones = new Set(tasks.map((task) => task.desired.network.subnetId));
    assert.equal(zones.size, 2);
    for (const { key, desired } of tasks) {
      const revisionId = '1'.padStart(19, '0');
      assert.deepEqual([desired.group, desired.startedBy], ['service:web', `ecs-svc/${revisionId}`]);
      assert.deepEqual(desired.service, { name: 'web', revisionId, taskSetId: null });
      assert.deepEqual(desired.tags, [{ key: 'team', value: 'blue' }]);
      assert.partialDeepStrictEqual(desired.spec.containers[0]?.log, { stream: `p/web/${key.id}` });
    }
    // The first task pulled the tag, the others ran its digest.
    assert.equal(tasks.filter((task) => task.desired.spec.containers[0]?.image === `app@sha256:${'0'.repeat(64)}`).length, 2);
    assert.equal((await readDeployment(cluster.store, 'web', 1)).observed.status, 'SUCCESSFUL');
    assert.equal((await messages(cluster.store, 'web')).at(-1), '(service web) has reached a steady state.');
    let writes = 0;
    cluster.store.onChange(['services', 'serviceDeployments', 'serviceRevisions', 'serviceEvents', 'tasks'], () => writes++);
    await pass(2 * limits.serviceReplanMs);
    assert.equal(writes, 0);
  });

  test('hosts that name their zones get what belongs there, and a new one is a reason to even out', async () => {
    const [first, second] = cluster.hosts;
    assert.ok(first && second);
    for (const host of [first, second]) cluster.killHost(host);
    [first.zone, second.zone] = ['us-east-1a', 'us-east-1b'];
    await cluster.startHost(first);
    await pass(2 * limits.hostSilenceMs + limits.heartbeatMs);
    await deploy(cluster.store, now(), 'web', 1, { count: 4 });
    await changeService(cluster.store, 'web', { zoneRebalancing: true });
    const hosts = async () => (await running('web')).map((task) => task.placement?.hostId).toSorted();
    await pass(60_000);
    assert.deepEqual(await hosts(), [first.id, first.id, first.id, first.id]);
    await cluster.startHost(second);
    await pass(5 * limits.serviceRebalanceMs);
    assert.deepEqual(await hosts(), [first.id, first.id, second.id, second.id]);
  });

  test('scaled, updated and deleted: each wish is followed, and events say so', async () => {
    await deploy(cluster.store, now(), 'web', 1, { count: 2 });
    await pass(60_000);
    await changeService(cluster.store, 'web', { desiredCount: 4 });
    await pass(60_000);
    assert.equal((await running('web')).length, 4);
    await deploy(cluster.store, now(), 'web', 2);
    await pass(120_000);
    assert.deepEqual(new Set((await running('web')).map((task) => task.desired.revision)), new Set([2]));
    assert.equal((await running('web')).length, 4);
    await changeService(cluster.store, 'web', { desiredCount: 1 });
    await pass(5000);
    assert.equal((await running('web')).length, 1);
    await changeService(cluster.store, 'web', { desiredCount: 0, status: 'DRAINING', deletedAt: now() - limits.inactiveServiceKeepMs });
    await pass(5000);
    assert.equal((await readService(cluster.store, 'web')).observed.status, 'INACTIVE');
    const said = (await messages(cluster.store, 'web')).join('\n');
    assert.match(said, /has started 2 tasks: \(task [0-9a-f]{32}\) \(task [0-9a-f]{32}\)\./);
    assert.match(said, /has stopped 1 running tasks: \(task [0-9a-f]{32}\)\./);
    await pass(limits.serviceSweepMs + 120_000);
    await cluster.store.read(async (tx) => {
      assert.equal(await tx.services.get(serviceKey('web')), undefined);
      for (const rows of [tx.serviceRevisions, tx.serviceDeployments, tx.serviceEvents]) {
        assert.deepEqual(await rows.list(serviceKey('web')), []);
      }
    });
  });

  test('a task that dies is replaced, and so are those of a host that is lost', async () => {
    await deploy(cluster.store, now(), 'web', 1, { count: 4 });
    await pass(60_000);
    const [first] = await running('web');
    assert.ok(first !== undefined);
    for (const host of cluster.hosts) if (host.id === first.placement?.hostId) cluster.killSupervisor(host, first.key.id);
    await pass(20_000);
    const after = await running('web');
    assert.ok(after.length === 4 && after.every((task) => task.key.id !== first.key.id));
    const [lost] = cluster.hosts;
    assert.ok(lost !== undefined);
    cluster.rebootHost(lost);
    await cluster.startHost(lost);
    await pass(60_000);
    assert.equal((await running('web')).length, 4);
  });

  test('a deployment that can not work rolls back, and its first event says why, with the last log lines', async () => {
    const deployment = {
      circuitBreaker: { enable: true, rollback: true, threshold: { type: 'COUNT' as const, value: 2 }, resetOnHealthyTask: true },
    };
    await deploy(cluster.store, now(), 'web', 1, { count: 2, deployment });
    await pass(60_000);
    const old = (await running('web')).map((task) => task.key.id);
    await deploy(cluster.store, now(), 'web', 2, {
      container: { command: ['run-ms=50', 'exit=3', 'print=reading config', 'print=no such  table'] },
      deployment,
    });
    await pass(120_000);
    const failed = await readDeployment(cluster.store, 'web', 2);
    assert.equal(failed.observed.status, 'ROLLBACK_SUCCESSFUL');
    assert.deepEqual((await running('web')).map((task) => task.key.id).sort(), old.sort());
    const causes = (await messages(cluster.store, 'web')).filter((message) => message.includes('failed to start: container'));
    assert.equal(causes.length, 1);
    assert.match(
      causes[0] ?? '',
      /^\(service web\) \(task [0-9a-f]{32}\) failed to start: container 'web' exited with code 3\. Last log lines: reading config \| no such table$/,
    );
    await deploy(cluster.store, now(), 'web', 3, { container: { image: 'missing/app:9' }, deployment });
    await pass(120_000);
    assert.equal((await readDeployment(cluster.store, 'web', 3)).observed.status, 'ROLLBACK_SUCCESSFUL');
    assert.ok((await messages(cluster.store, 'web')).some((message) => message.includes("container 'web': CannotPullContainerError:")));
  });

  test('behind a load balancer a task is registered when it runs, and drains before it ends', async () => {
    const { store } = cluster;
    const group = await insertGroup(store, { 'deregistration_delay.timeout_seconds': '60' });
    const places = () => store.read((tx) => tx.targets.list({ ...scope, group: group.id }));
    const observe = (change: Partial<TargetRecord['observed']>) =>
      store.write(async (tx) => {
        for (const place of await tx.targets.list({}))
          await tx.targets.setObserved(place.key, { ...place.observed, ...change }, place.revision);
      });
    const wiring = { container: 'web', port: 80, alternateTargetGroupArn: null, productionRuleArn: null, testRuleArn: null };
    await deploy(store, now(), 'web', 1, { count: 2, loadBalancers: [{ ...wiring, targetGroupArn: group.arn }] });
    await pass(5000);
    const tasks = await running('web');
    assert.deepEqual(
      (await places()).map(({ key, desired, observed }) => [key.target, desired.taskId, observed.state]).sort(),
      tasks.map((task) => [task.placement?.ip, task.key.id, 'initial']).sort(),
    );
    assert.equal((await readDeployment(store, 'web', 1)).observed.status, 'IN_PROGRESS');
    await observe({ state: 'healthy', since: now() });
    await pass(2000);
    assert.equal((await readDeployment(store, 'web', 1)).observed.status, 'SUCCESSFUL');
    await changeService(store, 'web', { desiredCount: 1 });
    await pass(65_000);
    assert.deepEqual([(await places()).length, (await running('web')).length], [1, 1]);
    await changeService(store, 'web', { desiredCount: 0 });
    await pass(65_000);
    assert.deepEqual([(await places()).length, (await liveTasks(store, 'web')).length], [0, 0]);
    const said = await messages(store, 'web');
    for (const what of ['registered 1 targets in', 'deregistered 1 targets in']) {
      assert.ok(said.includes(`(service web) ${what} (target-group ${group.arn})`), what);
    }
    assert.equal(said.filter((message) => message === '(service web) has begun draining connections on 1 tasks.').length, 2);
  });

  test('while the platform goes down nothing is replaced, and no connection holds a task up for long', async () => {
    const { store } = cluster;
    const group = await insertGroup(store, { 'deregistration_delay.timeout_seconds': '3600' });
    const wiring = { container: 'web', port: 80, alternateTargetGroupArn: null, productionRuleArn: null, testRuleArn: null };
    await deploy(store, now(), 'web', 1, { count: 2, loadBalancers: [{ ...wiring, targetGroupArn: group.arn }] });
    await pass(5000);
    const tasks = await running('web');
    assert.equal(tasks.length, 2);
    cluster.pausePlacement();
    await store.write(async (tx) => {
      for (const { key, desired, revision } of tasks) {
        await tx.tasks.setDesired(
          key,
          { ...desired, status: 'STOPPED', stop: { code: 'UserInitiated', reason: 'down', at: now() } },
          revision,
        );
      }
      for (const place of await tx.targets.list({})) {
        await tx.targets.setObserved(place.key, { ...place.observed, state: 'draining' }, place.revision);
      }
    });
    await pass(limits.downDrainMs + 5000);
    assert.deepEqual(await liveTasks(store, 'web'), []);
  });

  test('without room an event says so once, and the tasks come when there is', async () => {
    await deploy(cluster.store, now(), 'web', 1, { count: 1, size: { cpuMillis: 16_000, memoryBytes: 120 * 1024 ** 3 } });
    await pass(30_000);
    const text =
      '(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different ' +
      'availability zone. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.';
    assert.deepEqual(await messages(cluster.store, 'web'), [text]);
    assert.deepEqual(await liveTasks(cluster.store, 'web'), []);
    await deploy(cluster.store, now(), 'web', 2);
    await pass(60_000);
    assert.equal((await running('web')).length, 1);
  });

  test('the control plane may die at any step of a deployment', async () => {
    await deploy(cluster.store, now(), 'web', 1, { count: 4 });
    for (let n = 2; n < 6; n++) {
      await deploy(cluster.store, now(), 'web', n);
      cluster.killChance = { control: 0.02, host: 0 };
      for (let step = 0; step < 20; step++) {
        await pass(1000);
        if (!cluster.controlLives()) await cluster.startControl();
      }
    }
    await cluster.heal();
    await pass(180_000);
    const tasks = await liveTasks(cluster.store, 'web');
    assert.deepEqual(
      tasks.map((task) => [task.observed.status, task.desired.revision]),
      Array.from({ length: 4 }, () => ['RUNNING', 5]),
    );
    assert.equal((await readDeployment(cluster.store, 'web', 5)).observed.status, 'SUCCESSFUL');
  });

  test('of events the newest hundred stay, in order', async () => {
    await deploy(cluster.store, now(), 'web', 1, { count: 1 });
    await pass(60_000);
    for (let n = 0; n < 70; n++) {
      await changeService(cluster.store, 'web', { desiredCount: 1 + (n % 2) });
      await pass(100);
    }
    const events = await cluster.store.read((tx) => tx.serviceEvents.list(serviceKey('web')));
    assert.equal(events.length, limits.serviceEvents);
    assert.deepEqual(
      events.map((event) => event.at).toSorted((a, b) => a - b),
      events.map((event) => event.at),
    );
  });
});
