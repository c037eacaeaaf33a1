import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { breakerThreshold } from './breaker.ts';
import { breaker, createWorld, isEmpty, missingImage } from './world.ts';
import type { Fate } from './world.ts';

const minute = 60_000;
const broken = (ids: string[], fate: Partial<Fate>) => (id: string) => (ids.includes(id) ? fate : {});
const count = (messages: string[], part: string) => messages.filter((message) => message.includes(part)).length;

describe('failing tasks', () => {
  test('thresholds of the circuit breaker', () => {
    const at = (type: 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT' | 'COUNT', value: number, desired: number) =>
      breakerThreshold({ enable: true, rollback: false, resetOnHealthyTask: true, threshold: { type, value } }, desired);
    assert.equal(at('BOUNDED_PERCENT', 50, 1), 3);
    assert.equal(at('BOUNDED_PERCENT', 50, 25), 13);
    assert.equal(at('BOUNDED_PERCENT', 50, 1000), 200);
    assert.equal(at('UNBOUNDED_PERCENT', 50, 1000), 500);
    assert.equal(at('UNBOUNDED_PERCENT', 50, 2), 1);
    assert.equal(at('COUNT', 7, 1000), 7);
  });

  test('the first event of a failure names the cause', () => {
    const world = createWorld({ count: 2, fateOf: broken(['1'], missingImage) });
    world.deploy('1');
    world.run(10_000, 100);
    const [, first] = world.messages();
    assert.equal(first, '(service web) (task 1-0) failed to start: container app: CannotPullContainerError: not found.');
    assert.equal(count(world.messages(), 'CannotPullContainerError'), 1);
    assert.equal(count(world.messages(), 'is unable to consistently start tasks successfully.'), 1);
  });

  test('starts back off up to 15 minutes, and a new deployment begins afresh', () => {
    const world = createWorld({ count: 4, fateOf: broken(['1'], missingImage) });
    world.deploy('1');
    world.run(3 * 60 * minute, 1000);
    const before = world.all.length;
    world.run(60 * minute, 1000);
    assert.ok(world.all.length - before <= 20, `${world.all.length - before} tasks in an hour`);
    world.deploy('2');
    world.run(2 * minute);
    assert.equal(world.deployment('d-2')?.observed.status, 'SUCCESSFUL');
    assert.equal(world.service.observed.startFailures, 0);
    assert.ok(isEmpty(world.plan()));
  });

  test('tasks that were on their way together count as one failure for the back-off', () => {
    const world = createWorld({ count: 10, fateOf: broken(['1'], missingImage) });
    world.deploy('1');
    while (world.all.length < 13) world.run(100, 100);
    world.run(300, 100);
    assert.equal(world.live.length, 0);
    assert.equal(world.service.observed.startFailures, 4);
    assert.equal(world.deployment('d-1')?.observed.failedTasks, 13);
  });

  test('the breaker rolls back to the stable revision, and says why', () => {
    const world = createWorld({ count: 4, config: { circuitBreaker: breaker(true) }, fateOf: broken(['2'], missingImage) });
    world.deploy('1');
    world.run(2 * minute);
    world.deploy('2');
    world.run(minute, 100, () => assert.equal(world.tasksOf('1').filter((task) => task.desired === 'RUNNING').length, 4));
    const observed = world.deployment('d-2')?.observed;
    assert.equal(observed?.status, 'ROLLBACK_SUCCESSFUL');
    assert.equal(observed.breaker, 'TRIGGERED');
    assert.equal(observed.failureCount, 3);
    assert.deepEqual(observed.rollback?.revisionId, '1');
    assert.match(observed.statusReason ?? '', /rolled back because the circuit breaker threshold was exceeded\. container app: CannotPull/);
    assert.equal(world.service.observed.targetRevisionId, '1');
    const said = world.messages();
    const failed = said.indexOf('(service web) (deployment ecs-svc/2) deployment failed: tasks failed to start.');
    assert.equal(said[failed + 1], '(service web) rolling back to deployment ecs-svc/1.');
    assert.ok(isEmpty(world.plan()));
  });

  test('without rollback the deployment stops, starts nothing more, and the old tasks are kept up', () => {
    const world = createWorld({ count: 2, config: { circuitBreaker: breaker(false) }, fateOf: broken(['2'], missingImage) });
    world.deploy('1');
    world.run(2 * minute);
    world.deploy('2');
    world.run(minute, 100);
    assert.equal(world.deployment('d-2')?.observed.status, 'STOPPED');
    const started = world.all.filter((task) => task.revisionId === '2').length;
    const lost = world.live[0];
    assert.ok(lost);
    lost.fate.endsAt = 0;
    world.run(10 * minute);
    assert.equal(world.all.filter((task) => task.revisionId === '2').length, started);
    assert.equal(world.tasksOf('1').length, 2);
    assert.ok(isEmpty(world.plan()));
  });

  test('a first deployment that fails has nothing to go back to', () => {
    const world = createWorld({ count: 1, config: { circuitBreaker: breaker(true) }, fateOf: broken(['1'], missingImage) });
    world.deploy('1');
    world.run(10 * minute);
    const observed = world.deployment('d-1')?.observed;
    assert.equal(observed?.status, 'ROLLBACK_FAILED');
    assert.match(observed.statusReason ?? '', /No rollback candidate was found/);
    assert.equal(world.all.length, 3);
  });

  test('tasks that fail their health checks trip the breaker too, and are never replaced by stopping what serves', () => {
    const world = createWorld({
      count: 2,
      checked: true,
      config: { circuitBreaker: breaker(true) },
      fateOf: broken(['2'], { healthyAfter: Infinity, unhealthyAfter: 5000 }),
    });
    world.deploy('1');
    world.run(minute);
    world.deploy('2');
    world.run(5 * minute, 500, () => {
      assert.ok(world.tasksOf('1').filter((task) => task.desired === 'RUNNING').length >= 2);
      assert.ok(world.live.length <= 4);
    });
    assert.equal(world.deployment('d-2')?.observed.status, 'ROLLBACK_SUCCESSFUL');
    assert.ok(count(world.messages(), 'failed container health checks.') >= 3);
  });

  test('an unhealthy task is replaced first and stopped then; within the grace period it is left alone', () => {
    const world = createWorld({
      count: 2,
      checked: true,
      desired: { healthGraceMs: 5 * minute },
      fateOf: (_, index) => (index === 0 ? { unhealthyAfter: minute } : {}),
    });
    world.deploy('1');
    world.run(4 * minute);
    assert.equal(world.all.length, 2);
    world.run(3 * minute, 500, () => assert.ok(world.live.filter(({ task }) => task.desired === 'RUNNING').length >= 2));
    assert.equal(world.all.length, 3);
    assert.deepEqual(world.all[0]?.stop, { code: 'ServiceSchedulerInitiated', reason: 'Task failed container health checks' });
  });

  test('a task that crashes as soon as it runs is not started over and over at full speed', () => {
    const world = createWorld({ count: 1, fateOf: () => ({ runsAt: 50, endsAt: 100, failure: 'container app: exit code 127' }) });
    world.deploy('1');
    world.run(10 * minute, 50);
    assert.ok(world.all.length > 50 && world.all.length < 80, `${world.all.length} tasks`);
  });

  test('an alarm turns a deployment back', () => {
    const alarms = { names: ['errors'], enable: true, rollback: true };
    const world = createWorld({ count: 1, config: { alarms } });
    world.deploy('1');
    world.run(2 * minute);
    world.deploy('2');
    world.run(3000);
    world.alarms.add('errors');
    world.run(2 * minute);
    assert.equal(world.deployment('d-2')?.observed.status, 'ROLLBACK_SUCCESSFUL');
    assert.deepEqual(world.deployment('d-2')?.observed.triggeredAlarms, ['errors']);
    assert.deepEqual(
      world.live.map(({ task }) => task.revisionId),
      ['1'],
    );
  });

  test('a caller stops a deployment, with and without going back', () => {
    for (const type of ['ROLLBACK', 'ABORT'] as const) {
      const world = createWorld({ count: 2 });
      world.deploy('1');
      world.run(2 * minute);
      world.deploy('2');
      world.run(3000);
      const deployment = world.deployment('d-2');
      assert.ok(deployment);
      deployment.desired.stop = { type, at: world.now };
      world.run(3 * minute);
      assert.equal(deployment.observed.status, type === 'ABORT' ? 'STOPPED' : 'ROLLBACK_SUCCESSFUL');
      assert.deepEqual(
        world.live.map(({ task }) => task.revisionId),
        ['1', '1'],
      );
    }
  });
});
