import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createSharedTemplates } from './shared-templates.ts';
import { TEMPLATE_FILES } from './template-files.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'berth-templates-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const clock = virtualClock();
const MIB = 1024 ** 2;
const shared = (mark = 'abcdef', boot = 'boot-1') =>
  createSharedTemplates({ clock, log: silentLog }, { dir: join(dir, 'shared'), bootId: () => boot, mark, memoryBytes: 3 * MIB });
/** A template in an instance's own directory. */
function made(instance: string, key: string, memory: string | Buffer = key): string {
  const root = join(dir, instance);
  mkdirSync(join(root, key), { recursive: true });
  for (const name of TEMPLATE_FILES) writeFileSync(join(root, key, name), name === 'memory' ? memory : `${name} of ${key}`);
  return root;
}
const inode = (path: string) => statSync(path).ino;
const listed = (boot = 'boot-1') => readdirSync(join(dir, 'shared', boot)).toSorted();

test('what one instance made another has too, as the same files, and keeps when it is gone elsewhere', async () => {
  const [one, two] = [made('one', 'tcg-1c-624m-a'), join(dir, 'two')];
  assert.equal(await shared().take(two, 'tcg-1c-624m-a'), false);
  assert.equal(existsSync(two) && readdirSync(two).length > 0, false, 'nothing half made is left');
  await shared().give(one, 'tcg-1c-624m-a', 'tcg-1c-624m-');
  made('two', 'tcg-1c-624m-a', 'damaged');
  assert.equal(await shared('123456').take(two, 'tcg-1c-624m-a'), true);
  assert.deepEqual(readdirSync(two), ['tcg-1c-624m-a']);
  for (const name of TEMPLATE_FILES) assert.equal(inode(join(two, 'tcg-1c-624m-a', name)), inode(join(one, 'tcg-1c-624m-a', name)));
  await shared().drop('tcg-1c-624m-a');
  rmSync(one, { recursive: true });
  assert.equal(readFileSync(join(two, 'tcg-1c-624m-a/memory'), 'utf8'), 'tcg-1c-624m-a');
  assert.equal(await shared().take(join(dir, 'three'), 'tcg-1c-624m-a'), false);
});

test('the first of two that made the same stays; one takes the place of the shape’s former, and none of another shape’s or another boot’s', async () => {
  await shared('aaaaaa', 'boot-0').give(made('one', 'tcg-1c-624m-a'), 'tcg-1c-624m-a', 'tcg-1c-624m-');
  assert.deepEqual(listed('boot-0'), ['tcg-1c-624m-a']);
  const first = made('one', 'tcg-1c-624m-b', 'first');
  for (const key of ['tcg-1c-624m-a', 'tcg-2c-624m-a']) await shared().give(made('one', key), key, `${key.slice(0, -1)}`);
  // The machine started anew: what was made before is of no use to anybody.
  assert.deepEqual(readdirSync(join(dir, 'shared')), ['boot-1']);
  await shared('aaaaaa').give(first, 'tcg-1c-624m-b', 'tcg-1c-624m-');
  await shared('bbbbbb').give(made('two', 'tcg-1c-624m-b', 'second'), 'tcg-1c-624m-b', 'tcg-1c-624m-');
  assert.deepEqual(listed(), ['tcg-1c-624m-b', 'tcg-2c-624m-a']);
  assert.equal(readFileSync(join(dir, 'shared/boot-1/tcg-1c-624m-b/memory'), 'utf8'), 'first');
});

test('the longest unused goes when they take more than they may', async () => {
  const give = async (key: string) => {
    await clock.advance(60_000);
    await shared().give(made('one', key, Buffer.alloc(MIB, 1)), key, key);
  };
  for (const key of ['a', 'b', 'c']) await give(key);
  await clock.advance(60_000);
  assert.equal(await shared().take(join(dir, 'two'), 'a'), true);
  await give('d');
  assert.deepEqual(listed(), ['a', 'c', 'd']);
});
