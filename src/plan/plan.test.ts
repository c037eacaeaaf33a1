import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { HostRecord, SubnetRecord } from '#domain/records.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskDesired, TaskObserved, TaskRecord } from '#domain/task.ts';
import { taskDesired, taskKey, taskPlacement } from '../../test/conformance/store.ts';
import { planEndpoints } from './endpoints.ts';
import { afterHello, afterSilence, LOST_REASON } from './host-loss.ts';
import { CAPACITY_REASON, planPlacements } from './placement.ts';
import type { PlacementSnapshot } from './placement.ts';

const MIB = 1024 ** 2;

function task(id: string, desired: Partial<TaskDesired> = {}, observed: Partial<TaskObserved> = {}, placed = false): TaskRecord {
  const wish = taskDesired(desired);
  const seen = { ...newTaskObserved(wish.spec), ...observed };
  return { key: taskKey(id), revision: 1, desired: wish, placement: placed ? taskPlacement({ ip: '10.0.0.9' }) : null, observed: seen };
}

function host(hostId: string, change: Partial<HostRecord> = {}): HostRecord {
  const info = {
    hostname: hostId,
    arch: 'amd64' as const,
    cpuMillis: 2000,
    memoryBytes: 4096 * MIB,
    reserveBytes: 512 * MIB,
    isolation: [
      { kind: 'container' as const, works: true, reason: '', accelerator: null, auto: true },
      { kind: 'microvm' as const, works: false, reason: 'KVM boots no guest', accelerator: null, auto: false },
    ],
    strictCapacity: false,
    occupiedCidrs: [],
    cidrSeed: 0,
  };
  const usage = { freeMemoryBytes: 4096 * MIB, freeDiskBytes: 1e10, loadPercent: 0, tasks: 0, sandboxes: [] };
  return { key: { hostId }, revision: 1, info, usage, status: 'CONNECTED', seenAt: 0, ...change };
}

const subnet: SubnetRecord = {
  key: { account: '1', region: 'r', id: 'subnet-1' },
  revision: 1,
  vpcId: 'vpc-1',
  cidr: '10.0.0.0/28',
  zone: 'a',
  zoneId: 'a',
  isDefault: true,
  tags: [],
};

function snapshot(change: Partial<PlacementSnapshot>): PlacementSnapshot {
  return {
    now: 1000,
    watchingSince: 0,
    patienceMs: 500,
    fence: 3,
    unplaced: [],
    placed: [],
    balancers: [],
    hosts: [host('h1')],
    subnets: new Map([['subnet-1', { subnet, lastIp: undefined }]]),
    ...change,
  };
}
let serial = 0;
const naming = { eniId: () => `eni-${serial++}`, mac: () => `02:00:00:00:00:${String(serial++)}` };

describe('placement', () => {
  test('places in order of creation, on a host with room, each with an address of its own', () => {
    const unplaced = [task('b', { createdAt: 1 }), task('a', { createdAt: 2 })];
    const moves = planPlacements(snapshot({ unplaced }), naming);
    assert.deepEqual(
      moves.map((m) => [
        m.task.key.id,
        m.kind,
        m.kind === 'place' && [m.placement.hostId, m.placement.ip, m.placement.fence, m.placement.at],
      ]),
      [
        ['b', 'place', ['h1', '10.0.0.4', 3, 1000]],
        ['a', 'place', ['h1', '10.0.0.5', 3, 1000]],
      ],
    );
  });

  test('addresses: never one in use, none of those AWS reserves, the last one given out again as late as possible', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 4, max: 14 })),
        fc.option(fc.integer({ min: 4, max: 14 })),
        fc.integer({ min: 0, max: 12 }),
        (used, last, count) => {
          const placed = used.map((n) => ({
            hostId: 'h1',
            subnetId: 'subnet-1',
            ip: `10.0.0.${n}`,
            cpuMillis: 1,
            memoryBytes: 1,
            placedAt: 0,
          }));
          const unplaced = Array.from({ length: count }, (_, n) => task(`t${String(n).padStart(2, '0')}`, { createdAt: 900 }));
          const lastIp = last === null ? undefined : `10.0.0.${last}`;
          const moves = planPlacements(snapshot({ unplaced, placed, subnets: new Map([['subnet-1', { subnet, lastIp }]]) }), naming);
          const given = moves.flatMap((m) => (m.kind === 'place' ? [Number(m.placement.ip.split('.')[3])] : []));
          const free = Array.from({ length: 11 }, (_, n) => n + 4).filter((n) => !used.includes(n));
          assert.equal(given.length, Math.min(count, free.length));
          assert.ok(given.every((n) => free.includes(n)));
          assert.equal(new Set(given).size, given.length);
          if (last !== null && given.length > 0 && given.length < free.length) assert.ok(!given.includes(last) || used.includes(last));
        },
      ),
    );
  });

  test('a task that was stopped before it was placed ends with the stop of its user', () => {
    const stop = { code: 'UserInitiated' as const, reason: 'enough', at: 900 };
    const [move] = planPlacements(snapshot({ unplaced: [task('a', { status: 'STOPPED', stop })], hosts: [] }), naming);
    assert.ok(move?.kind === 'stop');
    const { status, stop: own, stoppingAt, executionStoppedAt, stoppedAt, version } = move.observed;
    assert.deepEqual(
      { status, own, stoppingAt, executionStoppedAt, stoppedAt, version },
      {
        status: 'STOPPED',
        own: null,
        stoppingAt: 1000,
        executionStoppedAt: 1000,
        stoppedAt: 1000,
        version: 2,
      },
    );
  });

  test('waits for a host, then says that there is no room; patience does not run while nobody watched', () => {
    const reason = (change: Partial<PlacementSnapshot>) =>
      planPlacements(snapshot({ unplaced: [task('a', { createdAt: 100 })], ...change }), naming).map(
        (m) => m.kind === 'stop' && m.observed.stop,
      );
    const none = [host('h1', { status: 'DISCONNECTED' })];
    assert.deepEqual(reason({ hosts: none, now: 599 }), []);
    assert.deepEqual(reason({ hosts: none, now: 600 }), [{ code: 'TaskFailedToStart', reason: CAPACITY_REASON }]);
    assert.deepEqual(reason({ hosts: none, now: 600, watchingSince: 101 }), []);
  });

  test('a kind of sandbox that no host has ends the task at once, with the reason', () => {
    const spec = { ...taskDesired().spec, isolation: 'microvm' as const };
    const [move] = planPlacements(snapshot({ unplaced: [task('a', { spec, createdAt: 999 })] }), naming);
    assert.ok(move?.kind === 'stop');
    assert.match(move.observed.stop?.reason ?? '', /no host can run this task in a microvm sandbox \(microvm: KVM boots no guest\)/);
  });

  test('auto never goes to a kind that the host keeps for those who name it', () => {
    const emulated = { kind: 'microvm' as const, works: true, reason: 'TCG', accelerator: 'tcg' as const, auto: false };
    const only = host('h1');
    only.info.isolation = [emulated];
    const place = (isolation: 'auto' | 'microvm') => {
      const spec = { ...taskDesired().spec, isolation };
      return planPlacements(snapshot({ hosts: [only], unplaced: [task('a', { spec, createdAt: 999 })] }), naming)[0];
    };
    assert.equal(place('microvm')?.kind, 'place');
    const refused = place('auto');
    assert.ok(refused?.kind === 'stop');
    assert.match(refused.observed.stop?.reason ?? '', /any sandbox \(microvm: only when asked for by name\)/);
  });

  test('a subnet that is gone ends the task', () => {
    const [move] = planPlacements(snapshot({ unplaced: [task('a', { createdAt: 999 })], subnets: new Map() }), naming);
    assert.ok(move?.kind === 'stop' && move.observed.stop?.code === 'TaskFailedToStart');
  });
});

describe('endpoints', () => {
  const tagged = (name: string, port?: string) => ({
    tags: [{ key: 'berth:endpoint', value: name }, ...(port === undefined ? [] : [{ key: 'berth:port', value: port }])],
  });
  test('running tasks are targets; what starts or has stopped is said', () => {
    const stop = { code: 'EssentialContainerExited' as const, reason: 'Essential container in task exited' };
    const plan = planEndpoints([
      task('b', tagged('web', '80'), { status: 'RUNNING' }, true),
      task('a', tagged('web', '80'), { status: 'PENDING' }, true),
      task('c', tagged('api', '80'), { status: 'ACTIVATING' }, true),
      task('d', tagged('old', '80'), { status: 'STOPPED', stop, stoppedAt: 5 }),
      task('e', tagged('not a label', '80'), { status: 'RUNNING' }, true),
      task('f', tagged('mute'), { status: 'RUNNING' }, true),
    ]);
    assert.deepEqual(plan.endpoints, [
      { name: 'api', targets: [], note: { state: 'starting', detail: 'task c is ACTIVATING' } },
      {
        name: 'mute',
        targets: [],
        note: { state: 'running', detail: 'task f runs, but it has no TCP port: map one, or set the tag berth:port' },
      },
      { name: 'old', targets: [], note: { state: 'stopped', detail: 'task d stopped; Essential container in task exited' } },
      { name: 'web', targets: [{ id: 'b', ip: '10.0.0.9', port: 80 }], note: { state: 'running', detail: '1 task runs' } },
    ]);
    assert.deepEqual(plan.names, { api: [], mute: ['10.0.0.9'], old: [], web: ['10.0.0.9'] });
  });

  test('a task that is asked to stop is no target any more', () => {
    const stop = { code: 'UserInitiated' as const, reason: '', at: 1 };
    const plan = planEndpoints([task('a', { ...tagged('web', '80'), status: 'STOPPED', stop }, { status: 'RUNNING' }, true)]);
    assert.deepEqual(plan.endpoints[0]?.targets, []);
    assert.equal(plan.endpoints[0]?.note.state, 'stopped');
  });
});

describe('hosts that come and go', () => {
  test('a task that the host had and no longer knows ended with it', () => {
    const lost = afterHello(task('a', {}, { status: 'RUNNING', startedAt: 1, version: 4 }, true), new Set(), 9);
    assert.deepEqual(
      [lost?.status, lost?.stop, lost?.stoppedAt, lost?.version],
      ['STOPPED', { code: 'InfrastructureHealth', reason: LOST_REASON }, 9, 5],
    );
    assert.equal(afterHello(task('a', {}, { status: 'PENDING' }, true), new Set(), 9)?.stop?.code, 'TaskFailedToStart');
    assert.equal(afterHello(task('a', {}, { status: 'RUNNING' }, true), new Set(['a']), 9), undefined);
    assert.equal(afterHello(task('a', {}, {}, true), new Set(), 9), undefined);
  });
  test('silence disconnects, hello connects', () => {
    const gone = afterSilence(task('a', {}, { status: 'RUNNING' }, true), 5);
    assert.equal(gone?.connectivity, 'DISCONNECTED');
    const back = afterHello(task('a', {}, gone, true), new Set(['a']), 9);
    assert.deepEqual([back?.status, back?.connectivity, back?.version], ['RUNNING', 'CONNECTED', 3]);
  });
});
