import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { ContainerObserved } from '#domain/task.ts';
import type { TaskReport } from '#link/protocol.ts';
import type { TaskStats } from '#supervisor/protocol.ts';
import type { TaskEntry } from '../journal.ts';
import { assignmentOf } from '../testing.ts';
import { containerResponse, taskResponse } from './task-response.ts';

const AT = Date.UTC(2026, 10, 27, 12);
const TIME = '2026-11-27T12:00:00.000Z';
const observed: ContainerObserved = {
  name: 'app',
  status: 'RUNNING',
  runtimeId: 'r-1',
  imageDigest: 'sha256:1',
  exitCode: null,
  reason: null,
  startedAt: AT,
  finishedAt: null,
};

type Change = { report?: Partial<TaskReport>; container?: Partial<ContainerSpec>; seen?: Partial<ContainerObserved>; tags?: boolean };
function entryOf({ report, container, seen }: Change = {}): { entry: TaskEntry; spec: ContainerSpec } {
  const spec = containerSpec({ name: 'app', ...container });
  const assignment = assignmentOf('t'.repeat(32), { spec: taskSpec({ containers: [spec] }) });
  const facts = {
    zone: 'us-east-1a',
    launchType: 'FARGATE',
    service: 'web',
    tags: [{ key: 'team', value: 'red' }],
    containerArns: { app: 'arn:c' },
  };
  const said = { status: 'RUNNING', startedAt: AT, stop: null, pullStartedAt: AT, pullStoppedAt: AT, executionStoppedAt: null };
  const whole = { ...said, containers: [{ ...observed, ...seen }], ...report } as unknown as TaskReport;
  return { spec, entry: { version: 1, assignment: { ...assignment, facts }, report: whole, runtimeIds: { app: 'r-1' }, ackedOffset: 0 } };
}
const task = (change: Change = {}, version: 3 | 4 = 4) =>
  taskResponse(entryOf(change).entry, version, { tags: change.tags === true ? [{ key: 'team', value: 'red' }] : undefined });
const one = (change: Change = {}, version: 3 | 4 = 4) => {
  const { entry, spec } = entryOf(change);
  return containerResponse(entry, spec, version);
};

test('a task tells where it is and how far; what has no value is left out', () => {
  const said = task();
  assert.deepEqual([said['AvailabilityZone'], said['LaunchType'], said['ServiceName']], ['us-east-1a', 'FARGATE', 'web']);
  assert.deepEqual([said['PullStartedAt'], said['ExecutionStoppedAt' as string]], [TIME, undefined]);
  assert.equal('ExecutionStoppedAt' in said, false);
  assert.equal('TaskTags' in said, false);
  assert.deepEqual(task({ tags: true })['TaskTags'], { team: 'red' });
  for (const name of ['ServiceName', 'VPCID', 'FaultInjectionEnabled']) assert.equal(name in task({}, 3), false, name);
});

test('statuses are the agent’s: PENDING until it runs, RUNNING until it is STOPPED', () => {
  const statuses = (status: string, startedAt: number | null, stop: unknown = null) => {
    const said = task({ report: { status, startedAt, stop } as unknown as Partial<TaskReport> });
    return [said['DesiredStatus'], said['KnownStatus']];
  };
  const stop = { code: 'UserInitiated', reason: '' };
  assert.deepEqual(statuses('PROVISIONING', null), ['RUNNING', 'PENDING']);
  assert.deepEqual(statuses('RUNNING', AT), ['RUNNING', 'RUNNING']);
  assert.deepEqual(statuses('DEPROVISIONING', AT, stop), ['STOPPED', 'RUNNING']);
  assert.deepEqual(statuses('STOPPED', AT, stop), ['STOPPED', 'STOPPED']);
  const known = (seen: Partial<ContainerObserved>) => one({ seen })['KnownStatus'];
  assert.deepEqual(
    [known({ status: 'PENDING', imageDigest: null }), known({ status: 'PENDING' }), known({}), known({ status: 'STOPPED' })],
    ['NONE', 'PULLED', 'RUNNING', 'STOPPED'],
  );
});

test('a container tells its health, since when, and what the check said', () => {
  assert.equal('Health' in one(), false, 'without a check');
  const health = { command: ['true'], intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 };
  const told = (seen: Partial<ContainerObserved>) => one({ container: { health } as unknown as Partial<ContainerSpec>, seen })['Health'];
  assert.deepEqual(told({}), { status: 'UNKNOWN' });
  assert.deepEqual(told({ health: 'UNHEALTHY', healthReason: 'exit code 1', healthExitCode: 1, healthSince: AT }), {
    status: 'UNHEALTHY',
    statusSince: TIME,
    exitCode: 1,
    output: 'exit code 1',
  });
  assert.deepEqual(told({ health: 'HEALTHY', healthExitCode: null, healthSince: AT }), { status: 'HEALTHY', statusSince: TIME });
});

test('what the kernel knows of its clock, in version 4', () => {
  const drift = (clock: TaskStats['clock'], version: 3 | 4 = 4) => {
    const stats: TaskStats = { readAtMs: AT + 300, containers: [], task: { cpuNs: 0, memoryBytes: 0, pids: 0 }, network: null, clock };
    return taskResponse(entryOf().entry, version, { stats })['ClockDrift'];
  };
  const told = { ClockErrorBound: 0.545, ReferenceTimestamp: '2026-11-27T12:00:00Z', ClockSynchronizationStatus: 'SYNCHRONIZED' };
  assert.deepEqual(drift({ synchronized: true, maxErrorUs: 545 }), told);
  const unsure = { ...told, ClockErrorBound: 16_000, ClockSynchronizationStatus: 'NOT_SYNCHRONIZED' };
  assert.deepEqual(drift({ synchronized: false, maxErrorUs: 16_000_000 }), unsure);
  assert.equal(drift(undefined), undefined);
  assert.equal(drift({ synchronized: true, maxErrorUs: 1 }, 3), undefined);
});

test('ids, labels and limits; the platform’s labels go before the definition’s own', () => {
  const said = one({
    container: { labels: { a: 'b', 'com.amazonaws.ecs.container-name': 'sly' }, cpuMillis: 250, memoryBytes: 64 * 1024 * 1024 },
  });
  assert.deepEqual([said['DockerId'], said['ContainerARN'], said['Type']], ['r-1', 'arn:c', 'NORMAL']);
  const labels = said['Labels'] as Record<string, string>;
  assert.deepEqual([labels['a'], labels['com.amazonaws.ecs.container-name']], ['b', 'app']);
  assert.deepEqual(said['Limits'], { CPU: 256, Memory: 64 });
  assert.equal('ContainerARN' in one({}, 3), false);
});
