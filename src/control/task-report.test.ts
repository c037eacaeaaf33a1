import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { ContainerObserved } from '#domain/task.ts';
import { afterReport } from './task-report.ts';

const fresh = newTaskObserved(taskSpec({ containers: [containerSpec()] }));
const said = (change: Partial<ContainerObserved>) => {
  const { version: _v, connectivity: _c, ...report } = fresh;
  return { ...report, taskId: 't', seq: 1, containers: fresh.containers.map((one) => ({ ...one, ...change })) };
};

test('a change of health is a change of the task', () => {
  const sick = afterReport(fresh, said({ health: 'UNHEALTHY', healthReason: 'exit code 1' }));
  assert.equal(sick?.version, 2);
  assert.deepEqual([sick.containers[0]?.health, sick.containers[0]?.healthReason], ['UNHEALTHY', 'exit code 1']);
  const well = afterReport(sick, said({ health: 'HEALTHY', healthReason: null }));
  assert.deepEqual([well?.version, well?.containers[0]?.health, well?.containers[0]?.healthReason], [3, 'HEALTHY', null]);
});

test('a row or a report of a former version, without health, says UNKNOWN and is no news', () => {
  const { health: _h, ...old } = fresh.containers[0] as ContainerObserved;
  const oldRow = { ...fresh, containers: [old] };
  assert.equal(afterReport(oldRow, said({})), undefined);
  assert.equal(afterReport(fresh, { ...said({}), containers: [old] }), undefined);
  const well = afterReport(fresh, said({ health: 'HEALTHY' }));
  assert.ok(well);
  assert.equal(afterReport(well, { ...said({}), containers: [old] })?.containers[0]?.health, 'UNKNOWN');
});

test('what was seen to run didn’t fail to start, whatever a host knows that was cut off', () => {
  const stop = { code: 'TaskFailedToStart' as const, reason: 'Task failed to start: the machine was restarted.' };
  const lost = { ...said({}), status: 'STOPPED' as const, stop };
  assert.equal(afterReport(fresh, lost)?.stop?.code, 'TaskFailedToStart');
  const ran = afterReport({ ...fresh, status: 'RUNNING', startedAt: 5 }, lost);
  assert.deepEqual(ran?.stop, { code: 'InfrastructureHealth', reason: stop.reason });
});
