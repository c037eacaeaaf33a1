import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskObserved } from '#domain/task.ts';
import { taskUsage } from '#domain/usage.ts';
import { scope, taskDesired, taskKey } from '../../test/conformance/store.ts';
import { createSqliteStore } from './index.ts';
import { USAGE_STEP } from './schema.ts';
import type { Store, UsagePlace } from './types.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-usage-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const AT = 1_700_000_000_000;
const always = { start: 0, end: Infinity };
const ledger = (store: Store) => store.read((tx) => tx.usage.page(scope, always, undefined, 100));

async function ended(store: Store, id: string, pullStartedAt: number | null, ms: number) {
  const desired = taskDesired({ tags: [{ key: 'team', value: `ü${id}` }], service: { name: 'web', revisionId: 'r', taskSetId: null } });
  const observed: TaskObserved = { ...newTaskObserved(desired.spec), status: 'STOPPED', pullStartedAt, stoppedAt: AT + ms };
  return await store.write(async (tx) => {
    await tx.tasks.insert(taskKey(id), desired, newTaskObserved(desired.spec));
    const task = await tx.tasks.setObserved(taskKey(id), observed, 1);
    // Something more is heard of it.
    return await tx.tasks.setObserved(taskKey(id), { ...observed, version: 9 }, task.revision);
  });
}

it('a task is in the ledger once it is STOPPED, once, in the same transaction', async () => {
  const store = await createSqliteStore({ path: ':memory:' });
  const task = await ended(store, 'a', AT, 90_500);
  await ended(store, 'never-pulled', null, 90_500);
  assert.deepEqual(await ledger(store), [taskUsage(task, 0)]);
  const broken = store.write(async (tx) => {
    await tx.tasks.insert(taskKey('b'), taskDesired(), newTaskObserved(taskDesired().spec));
    const observed: TaskObserved = { ...newTaskObserved(taskDesired().spec), status: 'STOPPED', pullStartedAt: AT, stoppedAt: AT + 1 };
    await tx.tasks.setObserved(taskKey('b'), observed, 1);
    throw new Error('the transaction fails');
  });
  await assert.rejects(broken);
  assert.equal((await ledger(store)).length, 1);
  await store.write((tx) => tx.tasks.delete(taskKey('a')));
  assert.equal((await ledger(store)).length, 1, 'it outlives what can be described');
  assert.equal(await store.write((tx) => tx.usage.expire(AT + 91_000, 10)), 0);
  assert.equal(await store.write((tx) => tx.usage.expire(AT + 91_001, 10)), 1);
  await store.close();
});

it('pages tell each entry of a span once', async () => {
  const store = await createSqliteStore({ path: ':memory:' });
  for (let n = 0; n < 7; n++) await ended(store, `t${n}`, AT - 1000 * n, 100_000);
  const span = { start: AT + 100_000, end: AT + 100_001 };
  const told: string[] = [];
  for (let after: UsagePlace | undefined; ;) {
    const page = await store.read((tx) => tx.usage.page(scope, span, after, 2));
    const last = page.at(-1);
    if (last === undefined) break;
    told.push(...page.map(({ key }) => key.id));
    after = { to: last.to, kind: last.key.kind, id: last.key.id, from: last.from };
  }
  // All of them end with the start of the span.
  assert.deepEqual(told, []);
  const all = await store.read((tx) => tx.usage.page(scope, { ...span, start: span.start - 1 }, undefined, 100));
  assert.deepEqual(all.map(({ key }) => key.id).toSorted(), ['t0', 't1', 't2', 't3', 't4', 't5', 't6']);
  await store.close();
});

it('a database of before begins with the tasks that it can still describe', async () => {
  const path = join(folder, 'former.db');
  const store = await createSqliteStore({ path });
  for (const [id, ms] of [['a', 10], ['b', 90_500], ['c', 120_000]] as const) await ended(store, id, AT, ms); // prettier-ignore
  await ended(store, 'd', null, 5);
  const before = await ledger(store);
  assert.equal(before.length, 3);
  await store.close();
  // As it was before the step.
  const db = new DatabaseSync(path);
  db.exec(`DROP TABLE usage; ${USAGE_STEP}`);
  db.close();
  const again = await createSqliteStore({ path });
  assert.deepEqual(await ledger(again), before);
  await again.close();
});
