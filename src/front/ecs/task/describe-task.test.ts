import { test } from 'node:test';
import assert from 'node:assert/strict';
import { newTargetObserved } from '#domain/load-balancer.ts';
import { newTaskObserved } from '#domain/task.ts';
import { createSqliteStore } from '#store/index.ts';
import { scope, taskDesired, taskKey } from '../../../../test/conformance/store.ts';
import { describeTask, drainingOf, zonesOf } from './describe-task.ts';

test('a running task that is to stop is DEACTIVATING while a target group still has it', async () => {
  const store = await createSqliteStore({ path: ':memory:' });
  const key = taskKey('a'.repeat(32));
  const stop = { code: 'ServiceSchedulerInitiated' as const, reason: 'Scaling', at: 2 };
  const desired = taskDesired({ status: 'STOPPED', stop });
  const target = { ...scope, group: '0'.repeat(16), target: '10.0.0.5', port: 80 };
  const told = async () => {
    const [task] = await store.read((tx) => tx.tasks.list({}));
    assert.ok(task !== undefined);
    const zones = await store.read((tx) => zonesOf(tx, [task]));
    const { lastStatus, desiredStatus } = describeTask(task, zones, [], await store.read((tx) => drainingOf(tx, [task])));
    return [lastStatus, desiredStatus];
  };
  try {
    await store.write(async (tx) => {
      const task = await tx.tasks.insert(key, desired, newTaskObserved(desired.spec));
      await tx.tasks.setObserved(key, { ...task.observed, status: 'RUNNING' }, task.revision);
      await tx.targets.insert(target, { registeredAt: 1, deregisteredAt: 2, zone: null, taskId: key.id }, newTargetObserved(1));
    });
    assert.deepEqual(await told(), ['DEACTIVATING', 'STOPPED']);
    await store.write((tx) => tx.targets.delete(target));
    assert.deepEqual(await told(), ['RUNNING', 'STOPPED']);
  } finally {
    await store.close();
  }
});
