import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import type { DeploymentConfig, ServiceLoadBalancer } from '#domain/service.ts';
import { breaker, createWorld, isEmpty, missingImage } from './world.ts';
import type { Fate } from './world.ts';

const minute = 60_000;
const wiring: ServiceLoadBalancer = {
  targetGroupArn: 'A',
  container: 'app',
  port: 80,
  alternateTargetGroupArn: 'B',
  productionRuleArn: 'prod',
  testRuleArn: 'test',
};

function blueGreen(config: Partial<DeploymentConfig>, fateOf?: (id: string, index: number) => Partial<Fate>) {
  const world = createWorld({
    count: 3,
    balancers: [wiring],
    config: { strategy: 'BLUE_GREEN', bakeMs: 5 * minute, ...config },
    ...(fateOf === undefined ? {} : { fateOf }),
  });
  world.deploy('1');
  world.run(minute);
  assert.equal(world.deployment('d-1')?.observed.status, 'SUCCESSFUL');
  assert.deepEqual(world.weights, { prod: { A: 100, B: 0 } });
  return world;
}

/** What the deployment goes through from now on, each state once. */
function history(world: ReturnType<typeof blueGreen>, id: string, ms: number): string[] {
  const seen: string[] = [];
  world.run(ms, 1000, () => {
    const observed = world.deployment(id)?.observed;
    const state = `${observed?.stage} ${observed?.productionWeight}`;
    if (seen.at(-1) !== state) seen.push(state);
    const serving = world.weights['prod']?.['A'] === 0 ? 'B' : 'A';
    const ready = world.live.filter(
      ({ task }) => task.desired === 'RUNNING' && task.targets.some((target) => target.groupArn === serving && target.state === 'healthy'),
    );
    assert.ok(ready.length >= 3, `${ready.length} tasks serve`);
  });
  return seen;
}

describe('deployments that shift traffic', () => {
  test('blue/green: green comes up whole in the other group, takes all traffic, bakes, and blue ends', () => {
    const world = blueGreen({});
    world.deploy('2');
    assert.deepEqual(history(world, 'd-2', 4 * minute), ['null 0', 'SCALE_UP 0', 'BAKE_TIME 100']);
    assert.deepEqual(world.weights, { prod: { A: 0, B: 100 }, test: { A: 0, B: 100 } });
    assert.equal(world.tasksOf('1').length, 3);
    assert.deepEqual(history(world, 'd-2', 3 * minute), ['BAKE_TIME 100', 'CLEAN_UP 100']);
    assert.equal(world.deployment('d-2')?.observed.status, 'SUCCESSFUL');
    assert.deepEqual(
      world.live.map(({ task }) => task.revisionId),
      ['2', '2', '2'],
    );
    assert.ok(isEmpty(world.plan()));
    world.deploy('3');
    world.run(10 * minute);
    assert.deepEqual(world.revisions.get('3')?.observed.targetGroupArns, ['A']);
    assert.deepEqual(world.weights['prod'], { A: 100, B: 0 });
  });

  test('canary: a little first, then all', () => {
    const world = blueGreen({ strategy: 'CANARY', canary: { percent: 2.5, bakeMs: 2 * minute }, bakeMs: 0 });
    world.deploy('2');
    assert.deepEqual(history(world, 'd-2', minute), ['null 0', 'SCALE_UP 0', 'PRODUCTION_TRAFFIC_SHIFT 2.5']);
    assert.deepEqual(world.weights['prod'], { A: 975, B: 25 });
    assert.deepEqual(history(world, 'd-2', 3 * minute), ['PRODUCTION_TRAFFIC_SHIFT 2.5', 'CLEAN_UP 100']);
    assert.equal(world.deployment('d-2')?.observed.status, 'SUCCESSFUL');
  });

  test('linear: equal steps, none waited for after the last', () => {
    const world = blueGreen({ strategy: 'LINEAR', linear: { stepPercent: 40, stepBakeMs: minute }, bakeMs: 0 });
    world.deploy('2');
    assert.deepEqual(history(world, 'd-2', 5 * minute), [
      'null 0',
      'SCALE_UP 0',
      'PRODUCTION_TRAFFIC_SHIFT 40',
      'PRODUCTION_TRAFFIC_SHIFT 80',
      'CLEAN_UP 100',
    ]);
  });

  test('a hook before the production shift pauses each step of a linear and a canary deployment', () => {
    const hook = { id: 'h', type: 'PAUSE' as const, target: null, timeoutMs: 60 * minute, onTimeout: 'ROLLBACK' as const };
    const hooks = [{ ...hook, stages: ['PRE_PRODUCTION_TRAFFIC_SHIFT' as const] }];
    const bakes = { linear: { stepPercent: 40, stepBakeMs: minute }, canary: { percent: 10, bakeMs: minute }, bakeMs: 0 };
    for (const [strategy, weights] of [
      ['LINEAR', [0, 40, 80]],
      ['CANARY', [0, 10]],
      ['BLUE_GREEN', [0]],
    ] as const) {
      // prettier-ignore
      const world = blueGreen({ strategy, ...bakes });
      world.deploy('2', { hooks });
      const deployment = world.deployment('d-2') ?? assert.fail();
      for (const weight of weights) {
        history(world, 'd-2', 5 * minute);
        assert.deepEqual(
          [deployment.observed.stage, deployment.observed.productionWeight],
          ['PRE_PRODUCTION_TRAFFIC_SHIFT', weight],
          strategy,
        );
        const [key] = Object.entries(deployment.observed.hooks).find(([, { status }]) => status === 'AWAITING_ACTION') ?? [];
        assert.ok(key);
        deployment.desired.continued[key] = { action: 'CONTINUE', at: world.now };
      }
      history(world, 'd-2', 10 * minute);
      assert.equal(deployment.observed.status, 'SUCCESSFUL');
      assert.equal(Object.keys(deployment.observed.hooks).length, weights.length);
    }
  });

  test('a hook pauses until it is continued; one that times out goes back', () => {
    const hook = { id: 'h', type: 'PAUSE' as const, target: null, timeoutMs: 10 * minute, onTimeout: 'ROLLBACK' as const };
    const world = blueGreen({});
    world.deploy('2', { hooks: [{ ...hook, stages: ['POST_TEST_TRAFFIC_SHIFT', 'POST_PRODUCTION_TRAFFIC_SHIFT'] }] });
    world.run(5 * minute);
    const deployment = world.deployment('d-2');
    assert.ok(deployment);
    assert.equal(deployment.observed.stage, 'POST_TEST_TRAFFIC_SHIFT');
    assert.equal(deployment.observed.hooks['h@POST_TEST_TRAFFIC_SHIFT']?.status, 'AWAITING_ACTION');
    deployment.desired.continued['h@POST_TEST_TRAFFIC_SHIFT'] = { action: 'CONTINUE', at: world.now };
    world.run(5000);
    assert.equal(deployment.observed.stage, 'POST_PRODUCTION_TRAFFIC_SHIFT');
    history(world, 'd-2', 15 * minute);
    assert.equal(deployment.observed.status, 'ROLLBACK_SUCCESSFUL');
    assert.equal(deployment.observed.hooks['h@POST_PRODUCTION_TRAFFIC_SHIFT']?.status, 'TIMED_OUT');
    assert.deepEqual(world.weights, { prod: { B: 0, A: 100 }, test: { B: 0, A: 100 } });
    assert.deepEqual(
      world.live.map(({ task }) => task.revisionId),
      ['1', '1', '1'],
    );
  });

  test('a Lambda hook is refused with its reason', () => {
    const hook = { id: 'h', type: 'AWS_LAMBDA' as const, target: 'arn:f', timeoutMs: minute, onTimeout: 'ROLLBACK' as const };
    const world = blueGreen({});
    world.deploy('2', { hooks: [{ ...hook, stages: ['PRE_SCALE_UP'] }] });
    world.run(minute);
    assert.equal(world.deployment('d-2')?.observed.status, 'ROLLBACK_SUCCESSFUL');
    assert.match(world.deployment('d-2')?.observed.statusReason ?? '', /arn:f can't be invoked: berth has no Lambda/);
    assert.equal(world.tasksOf('2').length, 0);
  });

  test('green that does not start never gets traffic', () => {
    for (const rollback of [true, false]) {
      const world = blueGreen({ circuitBreaker: breaker(rollback) }, (id) => (id === '2' ? missingImage : {}));
      world.deploy('2');
      history(world, 'd-2', 5 * minute);
      assert.equal(world.deployment('d-2')?.observed.status, rollback ? 'ROLLBACK_SUCCESSFUL' : 'STOPPED');
      assert.deepEqual(world.weights['prod'], { A: 100, B: 0 });
      assert.equal(world.live.length, 3);
      assert.ok(isEmpty(world.plan()));
    }
  });

  test('a deployment that supersedes another gives the traffic back first', () => {
    const world = blueGreen({});
    world.deploy('2');
    world.run(2 * minute);
    assert.deepEqual(world.weights['prod'], { A: 0, B: 100 });
    world.deploy('3');
    history(world, 'd-3', 10 * minute);
    assert.equal(world.deployment('d-3')?.observed.status, 'SUCCESSFUL');
    assert.deepEqual(world.weights['prod'], { A: 0, B: 100 });
    assert.deepEqual(
      world.live.map(({ task }) => task.revisionId),
      ['3', '3', '3'],
    );
  });

  test('once blue ends green is what a later deployment comes from', () => {
    const world = blueGreen({ bakeMs: 0 }, () => ({ stopMs: 2 * minute }));
    world.deploy('2');
    world.run(minute);
    assert.equal(world.deployment('d-2')?.observed.stage, 'CLEAN_UP');
    assert.equal(world.service.observed.stableRevisionId, '2');
    world.deploy('3');
    history(world, 'd-3', 10 * minute);
    assert.equal(world.deployment('d-3')?.observed.status, 'SUCCESSFUL');
    assert.deepEqual(world.weights['prod'], { A: 100, B: 0 });
  });

  test('a deployment that shifts nothing waits at its hooks too: before its tasks start, and before it is done', () => {
    const stages = ['PRE_SCALE_UP' as const, 'POST_SCALE_UP' as const];
    const hook = { id: 'h', type: 'PAUSE' as const, target: null, timeoutMs: 10 * minute, onTimeout: 'ROLLBACK' as const, stages };
    for (const answer of ['CONTINUE', 'ROLLBACK'] as const) {
      const world = createWorld({ count: 2 });
      world.deploy('1');
      world.run(minute);
      world.deploy('2', { hooks: [hook] });
      world.run(minute);
      const deployment = world.deployment('d-2');
      assert.ok(deployment);
      assert.equal(world.tasksOf('2').length, 0);
      assert.ok(isEmpty(world.plan()));
      deployment.desired.continued['h@PRE_SCALE_UP'] = { action: 'CONTINUE', at: world.now };
      world.run(3 * minute);
      assert.equal(world.tasksOf('2').length, 2);
      assert.equal(deployment.observed.status, 'IN_PROGRESS');
      assert.equal(deployment.observed.stage, 'POST_SCALE_UP');
      assert.ok(isEmpty(world.plan()));
      deployment.desired.continued['h@POST_SCALE_UP'] = { action: answer, at: world.now };
      world.run(3 * minute);
      assert.equal(deployment.observed.status, answer === 'CONTINUE' ? 'SUCCESSFUL' : 'ROLLBACK_SUCCESSFUL');
      const survivor = answer === 'CONTINUE' ? '2' : '1';
      assert.deepEqual(
        world.live.map(({ task }) => task.revisionId),
        [survivor, survivor],
      );
      assert.ok(isEmpty(world.plan()));
    }
  });
});
