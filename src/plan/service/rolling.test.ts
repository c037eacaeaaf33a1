import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { limits } from '#base/limits.ts';
import { createWorld, isEmpty } from './world.ts';

const minute = 60_000;

describe('rolling deployments', () => {
  test('a new service starts one task, learns the digest, starts the others, and is steady after 40 s', () => {
    const world = createWorld({ count: 3 });
    world.deploy('1');
    world.run(0);
    assert.equal(world.live.length, 1);
    world.run(2000);
    assert.equal(world.live.length, 3);
    assert.deepEqual(world.revisions.get('1')?.observed, { imageDigests: { app: 'sha256:1' }, targetGroupArns: [] });
    world.run(limits.serviceProvenMs - 2000);
    assert.equal(world.deployment('d-1')?.observed.status, 'IN_PROGRESS');
    world.run(4000);
    assert.equal(world.deployment('d-1')?.observed.status, 'SUCCESSFUL');
    assert.equal(world.service.observed.stableRevisionId, '1');
    assert.deepEqual(world.messages(), [
      '(service web) has started 1 tasks: (task 1-0).',
      '(service web) has started 2 tasks: (task 1-1) (task 1-2).',
      '(service web) (deployment ecs-svc/1) deployment completed.',
      '(service web) has reached a steady state.',
    ]);
    assert.ok(isEmpty(world.plan()));
    assert.equal(world.plan().wakeAt, null);
  });

  test('a container whose image follows its tag holds no other task up, and is never pinned', () => {
    const world = createWorld({ count: 3 });
    world.deploy('1');
    const [app] = world.revisions.get('1')?.desired.template.containers ?? [];
    assert.ok(app);
    app.followsTag = true;
    world.run(0);
    assert.equal(world.live.length, 3);
    world.run(minute);
    assert.equal(world.deployment('d-1')?.observed.status, 'SUCCESSFUL');
    assert.deepEqual(world.revisions.get('1')?.observed.imageDigests, {});
  });

  test('an update keeps the minimum and the maximum, and ends with the new revision alone', () => {
    const world = createWorld({ count: 4, config: { minimumHealthyPercent: 50, maximumPercent: 125 }, checked: true });
    world.deploy('1');
    world.run(minute);
    world.deploy('2');
    world.run(2 * minute, 100, () => {
      assert.ok(world.live.length <= 5);
      assert.ok(world.live.filter(({ task }) => task.desired === 'RUNNING' && task.health === 'HEALTHY').length >= 2);
    });
    assert.equal(world.deployment('d-2')?.observed.status, 'SUCCESSFUL');
    assert.equal(world.tasksOf('1').length, 0);
    assert.equal(world.tasksOf('2').length, 4);
  });

  test('a configuration that lets nothing move says so once', () => {
    const world = createWorld({ count: 1, config: { maximumPercent: 100 } });
    world.deploy('1');
    world.run(minute);
    world.deploy('2');
    world.run(minute);
    const stuck = world.messages().filter((message) => message.includes('unable to stop or start tasks during a deployment'));
    assert.equal(stuck.length, 1);
    assert.equal(world.tasksOf('1').length, 1);
  });

  test('a task that ends is replaced at once; one of the stable revision by its like while a deployment is under way', () => {
    const world = createWorld({
      count: 2,
      fateOf: (id, index) => (id === '2' ? { runsAt: 10 * minute } : index === 0 ? { endsAt: 3 * minute } : {}),
    });
    world.deploy('1');
    world.run(2 * minute);
    world.deploy('2');
    world.run(2 * minute);
    assert.deepEqual(
      world.tasksOf('1').map((task) => task.id),
      ['1-1', '1-2'],
    );
    assert.equal(world.tasksOf('2').length, 1);
  });

  test('where there is room for all new tasks no old one stops before they are healthy, though the minimum would let it', () => {
    const world = createWorld({ count: 4, config: { minimumHealthyPercent: 0 }, checked: true });
    world.deploy('1');
    world.run(minute);
    world.deploy('2');
    world.run(minute, 100, () => {
      const serving = world.live.filter(({ task }) => task.desired === 'RUNNING' && task.health === 'HEALTHY');
      assert.ok(serving.length >= 4, `${serving.length} serve`);
    });
    assert.equal(world.tasksOf('1').length, 0);
  });

  test('a superseded deployment is stopped, and the newest goes on', () => {
    const world = createWorld({ count: 2 });
    world.deploy('1');
    world.run(2 * minute);
    world.deploy('2');
    world.run(3000);
    world.deploy('3');
    world.run(3 * minute);
    assert.equal(world.deployment('d-2')?.observed.status, 'STOPPED');
    assert.equal(world.deployment('d-3')?.observed.status, 'SUCCESSFUL');
    assert.deepEqual(
      world.live.map(({ task }) => task.revisionId),
      ['3', '3'],
    );
  });

  test('scaling in spares protected tasks, and takes from the fullest zone', () => {
    const world = createWorld({ count: 4, zones: ['a', 'b'] });
    world.deploy('1');
    world.run(2 * minute);
    assert.deepEqual(world.live.map(({ task }) => task.zone).toSorted(), ['a', 'a', 'b', 'b']);
    const kept = world.live.find(({ task }) => task.zone === 'b');
    assert.ok(kept);
    kept.task.protectedUntil = world.now + 10 * minute;
    world.scale(0);
    world.run(minute);
    assert.deepEqual(world.live, [kept]);
    assert.equal(world.plan().wakeAt, kept.task.protectedUntil);
    world.run(10 * minute);
    assert.equal(world.live.length, 0);
  });

  test('zones are evened out by starting first', () => {
    const world = createWorld({ count: 4, zones: ['a'], desired: { zoneRebalancing: true } });
    world.deploy('1');
    world.run(2 * minute);
    world.zones = ['a', 'b'];
    world.run(10 * minute, 1000, () => assert.ok(world.live.filter(({ task }) => task.desired === 'RUNNING').length >= 4));
    assert.deepEqual(world.live.map(({ task }) => task.zone).toSorted(), ['a', 'a', 'b', 'b']);
    assert.equal(world.all.length, 6);
  });

  test('where a task can not go to the thin zone, moving one is tried now and then, not over and over', () => {
    const world = createWorld({ count: 4, zones: ['a', 'b'], desired: { zoneRebalancing: true } });
    world.deploy('1');
    world.run(2 * minute, 1000, () => world.live.forEach(({ task }) => (task.zone = 'a')));
    const before = world.all.length;
    world.run(10 * minute, 1000, () => world.live.forEach(({ task }) => (task.zone = 'a')));
    const tries = world.all.length - before;
    assert.ok(tries > 0 && tries <= 10, `${tries} tries`);
  });

  test('deletion stops all tasks, then the service is inactive', () => {
    const world = createWorld({ count: 2 });
    world.deploy('1');
    world.run(5000);
    world.service.desired.status = 'DRAINING';
    world.run(0);
    assert.equal(world.service.observed.status, 'DRAINING');
    world.run(2000);
    assert.equal(world.service.observed.status, 'INACTIVE');
    assert.equal(world.deployment('d-1')?.observed.status, 'STOPPED');
    assert.ok(isEmpty(world.plan()));
  });
});
