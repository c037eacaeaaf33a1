/**
 * Whatever happens to a service, its planner holds the bounds at every step and comes to rest where it should. A failure prints its seed;
 * BERTH_PLAN_RUNS=N tries N stories of each kind instead of a few.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ServicePlan } from './types.ts';
import { breaker, createWorld, goodFate, isEmpty } from './world.ts';
import type { Fate, World } from './world.ts';

const minute = 60_000;
const numRuns = Number(process.env['BERTH_PLAN_RUNS'] ?? 40);

/** What happens to the world between two plans. */
type Act =
  | { kind: 'wait'; ms: number }
  | { kind: 'scale'; count: number }
  | { kind: 'deploy' }
  | { kind: 'percents'; min: number; max: number }
  | { kind: 'crash'; which: number }
  | { kind: 'sicken'; which: number }
  | { kind: 'protect'; which: number; ms: number }
  | { kind: 'stop'; type: 'ROLLBACK' | 'ABORT' };

const percents = fc.record({ min: fc.integer({ min: 0, max: 100 }), max: fc.integer({ min: 100, max: 250 }) });
const wait: fc.Arbitrary<Act> = fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 90_000 }) });
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: wait },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('scale' as const), count: fc.integer({ min: 0, max: 9 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('deploy' as const) }) },
    { weight: 1, arbitrary: percents.map((p) => ({ kind: 'percents' as const, ...p })) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), which: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sicken' as const), which: fc.nat(20) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('protect' as const), which: fc.nat(20), ms: fc.integer({ min: 1, max: 300_000 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('stop' as const), type: fc.constantFrom('ROLLBACK' as const, 'ABORT' as const) }),
    },
  ),
  { maxLength: 30 },
);

const fates: fc.Arbitrary<Partial<Fate>[]> = fc.array(
  fc.record({
    runsAt: fc.integer({ min: 1, max: 60_000 }),
    endsAt: fc.oneof({ weight: 5, arbitrary: fc.constant(Infinity) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 120_000 }) }),
    healthyAfter: fc.integer({ min: 0, max: 30_000 }),
    unhealthyAfter: fc.oneof(
      { weight: 6, arbitrary: fc.constant(Infinity) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 60_000 }) },
    ),
    stopMs: fc.integer({ min: 1, max: 60_000 }),
    digest: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

function perform(world: World, act: Act, deployed: { last: number }): void {
  const live = (which: number) => world.live[which % Math.max(1, world.live.length)];
  if (act.kind === 'scale') world.scale(act.count);
  if (act.kind === 'deploy') world.deploy(String(++deployed.last));
  if (act.kind === 'percents') {
    Object.assign(world.service.desired.deployment, { minimumHealthyPercent: act.min, maximumPercent: act.max });
  }
  if (act.kind === 'protect') Object.assign(live(act.which)?.task ?? {}, { protectedUntil: world.now + act.ms });
  if (act.kind === 'crash') Object.assign(live(act.which)?.fate ?? {}, { endsAt: 0 });
  if (act.kind === 'sicken') Object.assign(live(act.which)?.fate ?? {}, { unhealthyAfter: 0 });
  if (act.kind === 'stop') {
    const current = world.deployments.at(-1);
    if (current !== undefined) current.desired.stop ??= { type: act.type, at: world.now };
  }
}

const boundsOf = (world: World) => {
  const { desiredCount, deployment } = world.service.desired;
  const min = Math.min(desiredCount, Math.ceil((desiredCount * deployment.minimumHealthyPercent) / 100));
  return { min, max: Math.max(desiredCount, Math.floor((desiredCount * deployment.maximumPercent) / 100)) };
};

/** Of tasks that nobody stopped: as AWS counts them. */
function healthy(world: World): number {
  return world.live.filter(({ task }) => isHealthy(world, task)).length;
}

function isHealthy(world: World, task: World['all'][number]): boolean {
  if (task.status !== 'RUNNING' || task.desired !== 'RUNNING' || task.startedAt === null) return false;
  const groups = world.revisions.get(task.revisionId)?.observed.targetGroupArns ?? [];
  if (task.targets.some(({ state }) => state === 'unhealthy') || (task.checked && task.health !== 'HEALTHY')) return false;
  if (groups.length === 0) return task.checked || world.now - task.startedAt >= 40_000;
  return groups.every((arn) => task.targets.some((target) => target.groupArn === arn && target.state === 'healthy'));
}

/** The invariants of one plan, before it is carried out. */
function holds(world: World, plan: ServicePlan): void {
  const { min, max } = boundsOf(world);
  if (plan.start.length > 0)
    assert.ok(world.live.length + plan.start.length <= max, `${world.live.length} + ${plan.start.length} > ${max}`);
  const stopped = plan.stop.map(({ taskId }) => world.live.find(({ task }) => task.id === taskId)?.task);
  const healthyStopped = stopped.filter((task) => task !== undefined && isHealthy(world, task));
  if (healthyStopped.length > 0) assert.ok(healthy(world) - healthyStopped.length >= min, `fewer than ${min} healthy`);
  for (const task of stopped) {
    const spared = task !== undefined && (task.protectedUntil ?? 0) > world.now && (isHealthy(world, task) || task.startedAt === null);
    assert.ok(!spared, 'a protected task is spared');
  }
  const both = plan.start.filter((start) => stopped.some((task) => task?.revisionId === start.revisionId && isHealthy(world, task)));
  assert.equal(both.length, 0, 'one is started and a healthy one of the same revision stopped');
}

/** No group that has traffic before or after the plan loses healthy tasks to it below the minimum; green and blue never share a group. */
function keepsTraffic(world: World, plan: ServicePlan, faultless = false): void {
  const stopping = new Set(plan.stop.map(({ taskId }) => taskId));
  const after = plan.shifts.find(({ ruleArn }) => ruleArn === 'prod')?.weights ?? world.weights['prod'] ?? {};
  for (const group of Object.keys(after).filter((arn) => (after[arn] ?? 0) > 0)) {
    const serving = world.live.filter(({ task }) => isHealthy(world, task) && task.targets.some((target) => target.groupArn === group));
    const lost = serving.filter(({ task }) => stopping.has(task.id));
    const kept = serving.length - lost.length;
    assert.ok(lost.length === 0 || kept >= boundsOf(world).min, `${group} has traffic and keeps ${kept} of ${serving.length}`);
    const raised = (after[group] ?? 0) > (world.weights['prod']?.[group] ?? 0);
    if (faultless && raised) assert.ok(kept >= boundsOf(world).min, `${group} gets traffic with ${kept} tasks`);
  }
}

/** Nothing fails any more, and nobody asks for anything. */
function calm(world: World): void {
  world.fateOf = () => ({});
  for (const { fate, task } of world.live) {
    if (task.startedAt === null) Object.assign(fate, { runsAt: Math.min(fate.runsAt, minute), endsAt: Infinity });
    Object.assign(fate, { endsAt: Infinity, unhealthyAfter: Infinity });
  }
}

const kinds = fc.record({
  checked: fc.boolean(),
  balanced: fc.boolean(),
  zones: fc.constantFrom<string[]>(['a'], ['a', 'b'], ['a', 'b', 'c']),
  zoneRebalancing: fc.boolean(),
  count: fc.integer({ min: 0, max: 8 }),
  percents,
});

function worldOf(kind: {
  checked: boolean;
  balanced: boolean;
  zones: string[];
  zoneRebalancing: boolean;
  count: number;
  percents: { min: number; max: number };
}) {
  const balancer = {
    targetGroupArn: 'A',
    container: 'app',
    port: 80,
    alternateTargetGroupArn: null,
    productionRuleArn: null,
    testRuleArn: null,
  };
  return createWorld({
    count: kind.count,
    checked: kind.checked,
    balancers: kind.balanced ? [balancer] : [],
    zones: kind.zones,
    config: { minimumHealthyPercent: kind.percents.min, maximumPercent: kind.percents.max },
    desired: { zoneRebalancing: kind.zoneRebalancing },
  });
}

/** Bounds that let nothing move are AWS's own dead end. */
function movable(world: World): boolean {
  const { min, max } = boundsOf(world);
  return max > world.service.desired.desiredCount || min < world.service.desired.desiredCount || max === 0;
}

function widen(world: World): void {
  Object.assign(world.service.desired.deployment, { minimumHealthyPercent: 100, maximumPercent: 200 });
}

describe('properties of the planner', () => {
  test('bounds hold at every step, and a calm world ends with exactly what was wished, at rest', () => {
    fc.assert(
      fc.property(kinds, fates, acts, (kind, lots, story) => {
        const world = worldOf(kind);
        const deployed = { last: 1 };
        world.fateOf = (_, index) => lots[index % lots.length] ?? {};
        world.deploy('1');
        for (const act of story) {
          perform(world, act, deployed);
          world.run(act.kind === 'wait' ? act.ms : 0, 5000, (plan) => holds(world, plan));
        }
        calm(world);
        // What can't come to an end by itself gets a deployment more: one that was stopped, and bounds that let nothing move.
        if (story.some(({ kind: what }) => what === 'stop') || !movable(world)) {
          widen(world);
          world.deploy(String(++deployed.last));
        }
        const last = String(deployed.last);
        world.run(40 * minute, 10_000, (plan) => holds(world, plan));
        assert.deepEqual(
          world.live.map(({ task }) => task.revisionId),
          Array(world.service.desired.desiredCount).fill(last),
        );
        assert.equal(world.deployment(`d-${last}`)?.observed.status, 'SUCCESSFUL');
        assert.ok(world.service.observed.steadyAt !== null);
        assert.ok(isEmpty(world.plan()));
        assert.equal(world.plan().wakeAt, null);
      }),
      { numRuns },
    );
  });

  test('whatever the strategy, who has traffic can serve it, and in the end the newest has all', () => {
    const strategies = fc.record({
      strategy: fc.constantFrom('BLUE_GREEN' as const, 'LINEAR' as const, 'CANARY' as const),
      bakeMs: fc.integer({ min: 0, max: 120_000 }),
      circuitBreaker: fc.constantFrom(breaker(true), breaker(false), { ...breaker(false), enable: false }),
      canary: fc.record({ percent: fc.constantFrom(0.1, 5, 100), bakeMs: fc.integer({ min: 0, max: 120_000 }) }),
      linear: fc.record({ stepPercent: fc.constantFrom(3, 33.3, 100), stepBakeMs: fc.integer({ min: 0, max: 20_000 }) }),
    });
    const wiring = {
      targetGroupArn: 'A',
      container: 'app',
      port: 80,
      alternateTargetGroupArn: 'B',
      productionRuleArn: 'prod',
      testRuleArn: null,
    };
    fc.assert(
      fc.property(strategies, fc.integer({ min: 1, max: 6 }), fates, acts, fc.boolean(), (config, count, lots, story, faultless) => {
        const world = createWorld({ count, balancers: [wiring], config });
        // Only what a caller asks for, and nothing that goes wrong by itself or grows meanwhile.
        const deployed = { last: 1 };
        world.deploy('1');
        world.run(5 * minute, 5000);
        const sound: Partial<Fate> = faultless ? { endsAt: Infinity, unhealthyAfter: Infinity } : {};
        world.fateOf = (_, index) => ({ ...lots[index % lots.length], ...sound });
        for (const act of story.filter(
          ({ kind }) => !(faultless ? ['percents', 'crash', 'sicken', 'scale'] : ['percents']).includes(kind),
        )) {
          perform(world, act, deployed);
          world.run(act.kind === 'wait' ? act.ms : 0, 5000, (plan) => keepsTraffic(world, plan, faultless));
        }
        calm(world);
        const last = String(++deployed.last);
        world.deploy(last);
        world.run(60 * minute, 10_000, (plan) => keepsTraffic(world, plan));
        assert.equal(world.deployment(`d-${last}`)?.observed.status, 'SUCCESSFUL');
        assert.deepEqual(
          world.live.map(({ task }) => task.revisionId),
          Array(world.service.desired.desiredCount).fill(last),
        );
        const group = world.revisions.get(last)?.observed.targetGroupArns?.[0] ?? '';
        assert.equal(world.weights['prod']?.[group], 100);
        assert.ok(isEmpty(world.plan()));
      }),
      { numRuns },
    );
  });

  test('after the breaker a service is on the stable revision again, which served all the while', () => {
    const ways: fc.Arbitrary<Partial<Fate>> = fc.constantFrom<Partial<Fate>>(
      { endsAt: 10 },
      { runsAt: 100, endsAt: 200 },
      { runsAt: 1000, endsAt: 20_000, healthyAfter: Infinity },
      { healthyAfter: Infinity, unhealthyAfter: 3000 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), ways, fc.boolean(), (count, way, digest) => {
        const world = createWorld({ count, checked: true, config: { circuitBreaker: breaker(true) } });
        world.fateOf = (id) => (id === '2' ? { ...way, digest } : {});
        world.deploy('1');
        world.run(2 * minute);
        world.deploy('2');
        world.run(30 * minute, 1000, (plan) => {
          holds(world, plan);
          assert.ok(healthy(world) >= count);
        });
        assert.equal(world.deployment('d-2')?.observed.status, 'ROLLBACK_SUCCESSFUL');
        assert.deepEqual(
          world.live.map(({ task }) => task.revisionId),
          Array(count).fill('1'),
        );
        assert.ok(isEmpty(world.plan()));
      }),
      { numRuns },
    );
  });

  test('the breaker never trips on a revision that works, however slowly and whatever the hosts do', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fates, fc.array(fc.nat(20), { maxLength: 20 }), (count, lots, losses) => {
        const world = createWorld({ count, checked: true, config: { circuitBreaker: breaker(true) } });
        const lost = { code: 'InfrastructureHealth' as const, reason: 'The host was restarted while the task ran.' };
        world.fateOf = (_, index) => ({ ...lots[index % lots.length], endsAt: Infinity, unhealthyAfter: Infinity, stop: lost });
        world.deploy('1');
        for (const which of losses) {
          world.run(7000, 1000, (plan) => holds(world, plan));
          const live = world.live[which % Math.max(1, world.live.length)];
          if (live !== undefined && live.task.startedAt !== null) live.fate.endsAt = 0;
        }
        calm(world);
        world.run(20 * minute, 5000, (plan) => holds(world, plan));
        assert.equal(world.deployment('d-1')?.observed.status, 'SUCCESSFUL');
        assert.equal(world.live.length, count);
      }),
      { numRuns },
    );
  });

  test('from any snapshot at all the plan is finite, asks each task once, and a second one follows from the first', () => {
    fc.assert(
      fc.property(kinds, fates, acts, (kind, lots, story) => {
        const world = worldOf(kind);
        const deployed = { last: 1 };
        world.fateOf = (_, index) => ({ ...goodFate, ...lots[index % lots.length] });
        world.deploy('1');
        for (const act of story) {
          perform(world, act, deployed);
          if (act.kind === 'wait') world.pass(act.ms);
          const plan = world.plan();
          assert.equal(new Set(plan.stop.map(({ taskId }) => taskId)).size, plan.stop.length);
          assert.deepEqual(world.plan(), plan, 'the same snapshot gives the same plan');
          world.apply(plan);
        }
      }),
      { numRuns },
    );
  });
});
