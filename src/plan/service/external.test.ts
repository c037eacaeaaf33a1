import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { TaskSetRecord } from '#domain/service.ts';
import { createWorld, isEmpty } from './world.ts';

function taskSet(id: string, scale: number): TaskSetRecord {
  const key = { account: '000000000000', region: 'us-east-1', cluster: 'default', name: 'web', id: `ecs-svc/${id}` };
  return {
    key,
    revision: 1,
    desired: { createdAt: 1_000_000, deleted: false, externalId: null, startedBy: null, scale, tags: [], front: {} },
    observed: { status: 'ACTIVE', stability: 'STABILIZING', stabilityAt: 0, updatedAt: 0 },
  };
}

test('task sets get their share of the count, rounded up, and end when they are deleted', () => {
  const world = createWorld({ count: 5, desired: { controller: 'EXTERNAL' } });
  world.addRevision('1');
  world.addRevision('2');
  world.taskSets.push(taskSet('1', 100), taskSet('2', 30));
  world.run(60_000);
  assert.equal(world.tasksOf('1').length, 5);
  assert.equal(world.tasksOf('2').length, 2);
  assert.ok(world.live.every(({ task }) => task.taskSetId === `ecs-svc/${task.revisionId}`));
  assert.deepEqual(
    world.taskSets.map(({ observed }) => observed.stability),
    ['STEADY_STATE', 'STEADY_STATE'],
  );
  assert.ok(world.messages().includes('(service web, taskSet ecs-svc/2) has reached a steady state.'));
  assert.ok(isEmpty(world.plan()));
  const [first] = world.taskSets;
  assert.ok(first);
  first.desired.deleted = true;
  world.run(5000);
  assert.equal(first.observed.status, 'DRAINING');
  assert.deepEqual(
    world.live.map(({ task }) => task.revisionId),
    ['2', '2'],
  );
  world.taskSets.length = 0;
  world.run(5000);
  assert.equal(world.live.length, 0);
});
