import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { seededRandom } from '#base/random.ts';
import { newTargetObserved } from '#domain/load-balancer.ts';
import { newTaskObserved, type TaskRecord } from '#domain/task.ts';
import { scope, taskDesired, taskKey, taskPlacement } from '../../test/conformance/store.ts';
import { createSqliteStore } from './index.ts';
import type { ReadTx, Store, TaskSlot, WriteTx } from './types.ts';

/** The same out of the records, one by one. */
async function slotsByRecords(tx: ReadTx): Promise<TaskSlot[]> {
  const slots: TaskSlot[] = [];
  for (const { key, desired, placement, observed } of await tx.tasks.list({ live: true })) {
    const held = desired.status === 'STOPPED' && observed.status === 'RUNNING' && (await tx.targetsOfTask(key.id)).length > 0;
    slots.push({
      id: key.id,
      desired: held ? 'RUNNING' : desired.status,
      status: observed.status,
      hostId: placement?.hostId ?? null,
      subnetId: desired.network.subnetId,
      ip: placement?.ip ?? null,
      placedAt: placement?.at ?? null,
      cpuMillis: desired.spec.cpuMillis,
      memoryBytes: desired.spec.memoryBytes,
    });
  }
  return slots;
}

async function assertSlots(tx: ReadTx): Promise<void> {
  const slots = (await tx.tasks.slots()).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(slots, await slotsByRecords(tx));
}

/** One write of one of a few tasks, as a task's life has them. */
async function writeSomething(tx: WriteTx, fraction: () => number): Promise<void> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(fraction() * from.length)]!;
  const id = pick([...'abcdefgh']);
  const task = await tx.tasks.byId(id);
  const target = { ...scope, group: 'g', target: `10.0.0.${id.charCodeAt(0)}`, port: 80 };
  if (task === undefined) {
    const desired = taskDesired();
    await tx.tasks.insert(
      taskKey(id),
      { ...desired, network: { ...desired.network, subnetId: pick(['s1', 's2']) } },
      newTaskObserved(desired.spec),
    );
    return;
  }
  const { key, desired, revision } = task;
  const wishes: (() => Promise<unknown>)[] = [
    () => tx.tasks.setPlacement(key, taskPlacement({ ip: `10.0.0.${Math.floor(fraction() * 200)}` }), revision),
    () => tx.tasks.setDesired(key, { ...desired, status: 'STOPPED' }, revision),
    () => moveOn(tx, task),
    () => tx.tasks.delete(key),
    async () => {
      if ((await tx.targets.get(target)) !== undefined) return await tx.targets.delete(target);
      return await tx.targets.insert(target, { registeredAt: 1, deregisteredAt: null, zone: null, taskId: id }, newTargetObserved(1));
    },
  ];
  await pick(wishes)();
}

async function moveOn(tx: WriteTx, { key, observed, revision }: TaskRecord): Promise<void> {
  const next = ({ PROVISIONING: 'RUNNING', RUNNING: 'STOPPED' } as Record<string, 'RUNNING' | 'STOPPED'>)[observed.status];
  if (next === undefined) return;
  await tx.tasks.setObserved(key, { ...observed, status: next, stoppedAt: next === 'STOPPED' ? 9 : null }, revision);
}

const change = (store: Store, fraction: () => number) =>
  store.write(async (tx) => {
    for (let n = Math.floor(fraction() * 4); n >= 0; n--) {
      await writeSomething(tx, fraction);
      if (fraction() < 0.5) await assertSlots(tx);
    }
    if (fraction() < 0.3) throw new Error('thought better of it');
  });

describe('slots of live tasks', () => {
  it('are what the records say, within each transaction, past those that are undone', async () => {
    const store = await createSqliteStore({ path: ':memory:' });
    const { fraction } = seededRandom(6);
    try {
      for (let round = 0; round < 400; round++) {
        // Some wait together, and share a commit.
        const outcomes = await Promise.allSettled(Array.from({ length: 1 + Math.floor(fraction() * 4) }, () => change(store, fraction)));
        for (const outcome of outcomes) if (outcome.status === 'rejected') assert.match(String(outcome.reason), /thought better of it/);
        if (fraction() < 0.5) await store.read(assertSlots);
      }
    } finally {
      await store.close();
    }
  });

  it('are right after a commit that failed as a whole', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-slots-'));
    const store = await createSqliteStore({ path: join(dir, 'berth.db'), maxBytes: 700_000 });
    const insert = (id: string) =>
      store.write(async (tx) => {
        await tx.tasks.insert(taskKey(id), taskDesired({ startedBy: id.repeat(3000) }), newTaskObserved(taskDesired().spec));
        await assertSlots(tx);
      });
    try {
      // The room ends within a commit of several: those of it that were well before it ended are undone too.
      const outcomes: PromiseSettledResult<void>[] = [];
      for (let n = 0; n < 8; n++) outcomes.push(...(await Promise.allSettled([...'abcde'].map((letter) => insert(`${letter}${n}`)))));
      const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
      assert.ok(kept > 0 && kept < outcomes.length, `${kept} of ${outcomes.length} were kept`);
      await store.read(assertSlots);
      assert.equal((await store.read((tx) => tx.tasks.slots())).length, kept);
    } finally {
      await store.close();
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('are right when another process wrote the file', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-slots-'));
    const path = join(dir, 'berth.db');
    const [mine, other] = [await createSqliteStore({ path }), await createSqliteStore({ path })];
    try {
      const insert = (store: Store, id: string) =>
        store.write((tx) => tx.tasks.insert(taskKey(id), taskDesired(), newTaskObserved(taskDesired().spec)));
      const ids = async (store: Store) => (await store.read((tx) => tx.tasks.slots())).map(({ id }) => id).toSorted();
      await insert(mine, 'a');
      assert.deepEqual([await ids(mine), await ids(other)], [['a'], ['a']]);
      await insert(other, 'b');
      assert.deepEqual(
        [await ids(mine), await ids(other)],
        [
          ['a', 'b'],
          ['a', 'b'],
        ],
      );
    } finally {
      await mine.close();
      await other.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
