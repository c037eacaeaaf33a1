/** What every store must do for services and their tasks. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { newTargetObserved } from '#domain/load-balancer.ts';
import { newServiceDeploymentObserved, newServiceObserved } from '#domain/service.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { Store, WriteTx } from '#store/types.ts';
import { scope, taskDesired, taskKey, taskPlacement } from './store.ts';

export function services(store: () => Store): void {
  test('a task that is to stop goes on until no target group has it', async () => {
    const desired = taskDesired();
    const target = { ...scope, group: '0'.repeat(16), target: '10.0.0.5', port: 80 };
    await store().write(async (tx) => {
      const task = await tx.tasks.insert(taskKey('a'), desired, { ...newTaskObserved(desired.spec), status: 'RUNNING' });
      await tx.targets.insert(target, { registeredAt: 1, deregisteredAt: null, zone: null, taskId: 'a' }, newTargetObserved(1));
      await tx.tasks.setDesired(task.key, { ...desired, status: 'STOPPED' }, task.revision);
    });
    const told = async () => (await store().read((tx) => tx.tasks.slots())).map((slot) => slot.desired);
    assert.deepEqual(await told(), ['RUNNING']);
    assert.deepEqual(
      (await store().read((tx) => tx.targetsOfTask('a'))).map((one) => one.key),
      [target],
    );
    await store().write((tx) => tx.targets.delete(target));
    assert.deepEqual(await told(), ['STOPPED']);
  });

  test('a service’s stamp differs when it, an open deployment, a task or a target of a task does, and at no other time', async () => {
    const key = { ...scope, cluster: 'default', name: 'web' };
    const empty = {} as never;
    const stamp = async () => (await store().read((tx) => tx.serviceStamps())).map((one) => one.stamp).join();
    const deployment = { key: { ...key, id: 'd' }, observed: { ...newServiceDeploymentObserved(1), status: 'IN_PROGRESS' as const } };
    const desired = taskDesired({ service: { name: 'web', revisionId: '1', taskSetId: null }, startedBy: 'ecs-svc/1' });
    const target = { ...scope, group: 'g', target: '10.0.0.5', port: 80 };
    const done = { ...deployment.observed, status: 'SUCCESSFUL' as const };
    const steps: ((tx: WriteTx) => Promise<unknown>)[] = [
      (tx) => tx.services.insert(key, empty, newServiceObserved()),
      (tx) => tx.services.setObserved(key, { ...newServiceObserved(), startFailures: 1 }, 1),
      (tx) => tx.serviceDeployments.insert(deployment.key, empty, deployment.observed),
      (tx) => tx.serviceDeployments.setDesired(deployment.key, empty, 1),
      (tx) => tx.taskSets.insert({ ...key, id: 's' }, empty, empty),
      (tx) => tx.tasks.insert(taskKey('a'), desired, newTaskObserved(desired.spec)),
      (tx) => tx.tasks.setPlacement(taskKey('a'), taskPlacement(), 1),
      (tx) => tx.targets.insert(target, { registeredAt: 1, deregisteredAt: null, zone: null, taskId: 'a' }, newTargetObserved(1)),
      (tx) => tx.targets.setObserved(target, { ...newTargetObserved(1), state: 'healthy' }, 1),
      (tx) => tx.targets.delete(target),
      (tx) => tx.serviceDeployments.setObserved(deployment.key, done, 2),
    ];
    const seen = [await stamp()];
    for (const [index, step] of steps.entries()) {
      await store().write(async (tx) => void (await step(tx)));
      const next = await stamp();
      assert.notEqual(next, seen.at(-1));
      seen.push(next);
      const open = await store().read((tx) => tx.openDeployments(key));
      assert.deepEqual(
        open.map((one) => one.key.id),
        index >= 2 && index < steps.length - 1 ? ['d'] : [],
      );
    }
    const [slot] = await store().read((tx) => tx.tasks.serviceTaskSlots());
    const { ip } = taskPlacement();
    const { subnetId } = desired.network;
    const told = { startedBy: 'ecs-svc/1', desired: 'RUNNING', ended: false, status: 'PROVISIONING' };
    assert.deepEqual(slot, { id: 'a', service: key, ...told, ip, subnetId });
    const last = await stamp();
    await store().write(async (tx) => {
      await tx.services.insert({ ...key, name: 'other' }, empty, newServiceObserved());
      await tx.tasks.insert(taskKey('b'), taskDesired(), newTaskObserved(desired.spec));
      await tx.serviceDeployments.setDesired(deployment.key, empty, 3);
    });
    assert.ok((await store().read((tx) => tx.serviceStamps())).some((one) => one.key.name === 'web' && one.stamp === last));
  });

  test('the end of a service’s task is seen until it is noted', async () => {
    const desired = taskDesired({ service: { name: 'web', revisionId: '1', taskSetId: null } });
    const key = { ...scope, cluster: 'default', name: 'web' };
    await store().write(async (tx) => {
      const task = await tx.tasks.insert(taskKey('a'), desired, newTaskObserved(desired.spec));
      await tx.tasks.insert(taskKey('b'), taskDesired(), newTaskObserved(desired.spec));
      await tx.tasks.setObserved(task.key, { ...task.observed, status: 'STOPPED', stoppedAt: 5 }, task.revision);
    });
    const ids = async () => (await store().read((tx) => tx.tasks.ofService(key))).map((task) => task.key.id);
    assert.deepEqual(await ids(), ['a']);
    assert.deepEqual(await store().read((tx) => tx.tasks.serviceSlots(key)), [{ id: 'a', revision: 2 }]);
    await store().write((tx) => tx.tasks.setAccounted(['a']));
    assert.deepEqual(await ids(), []);
  });
}
