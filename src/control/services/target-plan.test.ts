import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { newTargetObserved } from '#domain/load-balancer.ts';
import type { TargetRecord } from '#domain/load-balancer.ts';
import type { ServiceTaskSlot } from '#store/types.ts';
import { planTargets } from './target-plan.ts';
import type { TargetPlan, TargetSnapshot } from './target-plan.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const service = { ...scope, cluster: 'default', name: 'web' };
const groupArn = 'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/g/0000000000000001';
const wiring = [{ groupArn, groupId: 'g1', port: 80 }];

const slot = (id: string, change: Partial<ServiceTaskSlot> = {}): ServiceTaskSlot => ({
  id,
  service,
  startedBy: 'ecs-svc/1',
  desired: 'RUNNING',
  ended: false,
  status: 'RUNNING',
  ip: `10.0.0.${id}`,
  subnetId: 'subnet-1',
  ...change,
});

const target = (
  id: string,
  change: {
    deregisteredAt?: number;
    state?: TargetRecord['observed']['state'];
    drained?: boolean;
    group?: string;
    taskId?: string | null;
  } = {},
): TargetRecord => ({
  key: { ...scope, group: change.group ?? 'g1', target: `10.0.0.${id}`, port: 80 },
  revision: 1,
  desired: {
    registeredAt: 0,
    deregisteredAt: change.deregisteredAt ?? null,
    zone: 'a',
    taskId: change.taskId === undefined ? id : change.taskId,
  },
  observed: { ...newTargetObserved(0), state: change.state ?? 'healthy', drained: change.drained ?? false },
});

function plan(tasks: ServiceTaskSlot[], targets: TargetRecord[], now = 1000): TargetPlan {
  const snapshot: TargetSnapshot = {
    now,
    tasks,
    wiring: () => wiring,
    targets,
    delays: new Map([['g1', 300_000]]),
    zones: new Map([['subnet-1', 'a']]),
  };
  return planTargets(snapshot);
}

const short = (made: TargetPlan) => ({
  register: made.register.map(({ key, taskId, zone }) => `${taskId} ${key.group} ${key.target}:${key.port} ${zone}`),
  deregister: made.deregister.map(({ key }) => key.target),
  remove: made.remove.map(({ key }) => key.target),
  events: made.events.map((event) => event.message),
});
function carriedOut(targets: TargetRecord[], made: TargetPlan): TargetRecord[] {
  const draining = (one: TargetRecord) =>
    made.deregister.includes(one) ? { ...one, desired: { ...one.desired, deregisteredAt: 1000 } } : one;
  const kept = targets.filter((one) => !made.remove.includes(one)).map(draining);
  return [...kept, ...made.register.map(({ key, taskId }) => ({ ...target(taskId), key }))];
}

const nothing = { register: [], deregister: [], remove: [], events: [] };

describe('targets of services', () => {
  test('tasks are registered once they run, and left alone while they do', () => {
    const tasks = [slot('1'), slot('2'), slot('3', { status: 'PENDING' }), slot('4', { ip: null })];
    assert.deepEqual(short(plan(tasks, [])), {
      ...nothing,
      register: ['1 g1 10.0.0.1:80 a', '2 g1 10.0.0.2:80 a'],
      events: [`(service web) registered 2 targets in (target-group ${groupArn})`],
    });
    assert.deepEqual(short(plan(tasks, [target('1'), target('2')])), nothing);
  });

  test('one that is to stop drains until its connections are done or its time is over; one that ended goes at once', () => {
    const stops = slot('1', { desired: 'STOPPED' });
    assert.deepEqual(short(plan([stops], [target('1')])), {
      ...nothing,
      deregister: ['10.0.0.1'],
      events: [
        '(service web) has begun draining connections on 1 tasks.',
        `(service web) deregistered 1 targets in (target-group ${groupArn})`,
      ],
    });
    const toDrain = { deregisteredAt: 1000, state: 'draining' } as const;
    const draining = plan([stops], [target('1', toDrain)]);
    assert.deepEqual([short(draining), draining.wakeAt], [nothing, 301_000]);
    assert.deepEqual(short(plan([stops], [target('1', { deregisteredAt: 1000, drained: true })])), { ...nothing, remove: ['10.0.0.1'] });
    assert.deepEqual(short(plan([stops], [target('1', toDrain)], 301_000)), { ...nothing, remove: ['10.0.0.1'] });
    // Requests may still be sent there until the balancer says that it drains.
    const unheard = plan([stops], [target('1', { deregisteredAt: 1000 })], 301_000);
    assert.deepEqual([short(unheard), unheard.wakeAt], [nothing, 311_000]);
    assert.deepEqual(short(plan([stops], [target('1', { deregisteredAt: 1000 })], 311_000)), { ...nothing, remove: ['10.0.0.1'] });
    assert.deepEqual(short(plan([slot('1', { ended: true })], [target('1')])), {
      ...nothing,
      remove: ['10.0.0.1'],
      events: [`(service web) deregistered 1 targets in (target-group ${groupArn})`],
    });
    assert.deepEqual(short(plan([], [target('1')])), { ...nothing, remove: ['10.0.0.1'] });
  });

  test('one that a caller took out of its group goes once it is drained, and no sooner', () => {
    const draining = target('1', { taskId: null, deregisteredAt: 900, state: 'draining' });
    assert.deepEqual(short(plan([], [draining])), nothing);
    assert.equal(plan([], [draining]).wakeAt, 300_900);
    assert.deepEqual(short(plan([], [target('1', { taskId: null, deregisteredAt: 900, drained: true })])), { ...nothing, remove: ['10.0.0.1'] }); // prettier-ignore
    assert.deepEqual(short(plan([], [draining], 300_900)), { ...nothing, remove: ['10.0.0.1'] });
    assert.deepEqual(short(plan([], [target('1', { taskId: null, drained: true })])), nothing);
  });

  test('an address that has a new task already is registered for it; a caller’s target and a group that is gone are left alone', () => {
    const made = short(plan([slot('2', { ip: '10.0.0.1' })], [target('1')]));
    assert.deepEqual([made.remove, made.register], [['10.0.0.1'], ['2 g1 10.0.0.1:80 a']]);
    assert.deepEqual(short(plan([slot('1')], [target('1', { taskId: null })])), nothing);
    assert.deepEqual(short(plan([slot('1')], [target('1'), target('1', { group: 'gone' })])), { ...nothing, remove: ['10.0.0.1'] });
  });

  test('carried out, plans come to rest: what runs has its place, what ended has none', () => {
    const task = fc.record({
      status: fc.constantFrom('PENDING', 'RUNNING', 'STOPPING') as fc.Arbitrary<ServiceTaskSlot['status']>,
      desired: fc.constantFrom('RUNNING', 'STOPPED') as fc.Arbitrary<ServiceTaskSlot['desired']>,
      ended: fc.boolean(),
      place: fc.option(
        fc.record({ drained: fc.boolean(), deregisteredAt: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined }) }),
      ),
    });
    fc.assert(
      fc.property(fc.array(task, { maxLength: 8 }), (all) => {
        const tasks = all.map(({ status, desired, ended }, n) => slot(String(n), { status, desired, ended }));
        const before = all.flatMap(({ place }, n) => {
          if (place === null) return [];
          const { drained, deregisteredAt } = place;
          return [target(String(n), { drained, ...(deregisteredAt === undefined ? {} : { deregisteredAt }) })];
        });
        let rows = before;
        // Drained rows go in one round; a running task's comes back in the next.
        for (let round = 0; round < 3; round++) rows = carriedOut(rows, plan(tasks, rows));
        assert.deepEqual(short(plan(tasks, rows)), nothing);
        for (const { id, status, desired, ended } of tasks) {
          const places = rows.filter((one) => one.desired.taskId === id);
          if (status !== 'RUNNING' || ended) assert.deepEqual(places, []);
          else if (desired === 'RUNNING') assert.equal(places.length, 1);
        }
      }),
    );
  });
});
