import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault } from '#base/fault.ts';
import { newTaskObserved } from '#domain/task.ts';
import { storeConformance, taskDesired, taskKey } from '../../test/conformance/store.ts';
import { createSqliteStore } from './index.ts';

storeConformance('sqlite in memory', () => createSqliteStore({ path: ':memory:' }));

async function inDirectory(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-store-'));
  try {
    await fn(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const scope = { account: '1', region: 'r' };
const setting = (name: string, value = '') => ({ key: { ...scope, principal: 'default', name }, value });

test('what was acknowledged is there after the store is opened again', () =>
  inDirectory(async (dir) => {
    const path = join(dir, 'berth.db');
    const first = await createSqliteStore({ path });
    const made = await first.write((tx) => tx.tasks.insert(taskKey('a'), taskDesired(), newTaskObserved(taskDesired().spec)));
    await first.close();
    const second = await createSqliteStore({ path });
    try {
      assert.deepEqual(await second.read((tx) => tx.tasks.byId('a')), made);
    } finally {
      await second.close();
    }
  }));

test('writes that wait together share one sync', () =>
  inDirectory(async (dir) => {
    const store = await createSqliteStore({ path: join(dir, 'berth.db') });
    try {
      let hints = 0;
      store.onChange(['settings'], () => hints++);
      await Promise.all(Array.from({ length: 100 }, (_, n) => store.write((tx) => tx.settings.put(setting(`s${n}`), 0))));
      await new Promise<void>((resolve) => setImmediate(resolve));
      assert.equal(hints, 1);
    } finally {
      await store.close();
    }
  }));

test('a full disk is said, nothing is half kept, and room makes it work again', () =>
  inDirectory(async (dir) => {
    const path = join(dir, 'berth.db');
    await (await createSqliteStore({ path })).close();
    const store = await createSqliteStore({ path, maxBytes: 400_000 });
    try {
      const big = 'x'.repeat(100_000);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 5 }, (_, n) => store.write((tx) => tx.settings.put(setting(`s${n}`, big), 0))),
      );
      for (const outcome of outcomes) {
        assert.ok(outcome.status === 'rejected' && isFault(outcome.reason, 'Unavailable'));
        assert.match(outcome.reason.message, /^the state directory is full: /);
      }
      assert.deepEqual(await store.read((tx) => tx.settings.list({})), []);
      await store.write((tx) => tx.settings.put(setting('small', 'y'), 0));
    } finally {
      await store.close();
    }
  }));

test('a damaged file, a missing directory and a database of the future are refused with a reason', () =>
  inDirectory(async (dir) => {
    const path = join(dir, 'broken.db');
    await writeFile(path, Buffer.alloc(8192, 'not a database '));
    await assert.rejects(createSqliteStore({ path }), (e) => isFault(e, 'Internal') && e.message.includes('is damaged'));
    await assert.rejects(createSqliteStore({ path: join(dir, 'no', 'where.db') }), (e) => isFault(e, 'Unavailable'));
    const future = join(dir, 'future.db');
    const db = new DatabaseSync(future);
    db.exec('PRAGMA user_version = 999');
    db.close();
    await assert.rejects(createSqliteStore({ path: future }), (e) => isFault(e, 'Unsupported'));
  }));
