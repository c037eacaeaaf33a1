import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { realClock } from '#base/clock.ts';
import { createDeletedFileSystems } from './deleted.ts';

const ID = 'fs-0123456789abcdef0';

function setUp(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-deleted-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const base = join(dir, 'filesystems');
  mkdirSync(join(base, ID, 'some/where'), { recursive: true });
  writeFileSync(join(base, ID, 'some/where/.file'), 'x');
  const start = () => createDeletedFileSystems(realClock(), base, (act) => act());
  return { dir, base, start, inside: (...parts: string[]) => join(base, ID, ...parts), tree: join(base, '.deleted', ID) };
}

async function gone(files: ReturnType<ReturnType<typeof setUp>['start']>): Promise<void> {
  for (let n = 0; !(await files.remove(ID)).gone; n++) assert.ok(n < 60, 'it is still there');
}

test('it goes, and nothing of it can be had any more; others stay', async (t) => {
  const { base, start } = setUp(t);
  mkdirSync(join(base, 'fs-00000000000000001'));
  const files = start();
  assert.equal(await files.isDeleted(ID), false);
  await gone(files);
  await gone(files);
  assert.deepEqual(readdirSync(base).toSorted(), ['.deleted', 'fs-00000000000000001']);
  assert.deepEqual(readdirSync(join(base, '.deleted')), [`${ID}.json`]);
  assert.equal(await files.isDeleted(ID), true);
  await assert.rejects(files.remove('../tasks'), { code: 'InvalidParameter' });
  // A mark is forgotten once nothing can be on its way that asks for it.
  utimesSync(join(base, '.deleted', `${ID}.json`), 1, 1);
  await start().recover();
  assert.deepEqual(readdirSync(join(base, '.deleted')), []);
});

test('links are not followed, and what is mounted in it stays, of another file system or the same', async (t) => {
  const { dir, start, inside, tree } = setUp(t);
  mkdirSync(join(dir, 'outside'));
  writeFileSync(join(dir, 'outside/kept'), 'kept');
  symlinkSync(join(dir, 'outside'), inside('link'));
  for (const name of ['bound', 'memory']) mkdirSync(inside(name));
  execFileSync('mount', ['--bind', join(dir, 'outside'), inside('bound')]);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', inside('memory')]);
  writeFileSync(inside('memory/kept'), 'kept');
  const places = ['bound', 'memory'].map((name) => join(tree, name));
  t.after(() => places.forEach((place) => existsSync(place) && execFileSync('umount', ['--lazy', place])));
  await assert.rejects(start().remove(ID), /cannot delete .*(bound|memory).*busy/);
  assert.deepEqual(readdirSync(tree).toSorted(), ['bound', 'memory']);
  for (const place of places) assert.equal(readFileSync(join(place, 'kept'), 'utf8'), 'kept');
  for (const place of places) execFileSync('umount', [place]);
  await gone(start());
  assert.equal(readFileSync(join(dir, 'outside/kept'), 'utf8'), 'kept');
  assert.ok(!existsSync(tree));
});

test('an agent that was killed at any step is gone on from; what has no mark stays', async (t) => {
  const { base, start, inside, tree } = setUp(t);
  await start().recover();
  assert.ok(existsSync(inside('some/where/.file')));
  // The mark is half written; nobody was told that it is there.
  mkdirSync(join(base, '.deleted'));
  writeFileSync(join(base, '.deleted', `${ID}.json.new`), '{');
  await start().recover();
  assert.ok(existsSync(inside('some/where/.file')));
  // The mark is there, and nothing else.
  renameSync(join(base, '.deleted', `${ID}.json.new`), join(base, '.deleted', `${ID}.json`));
  await start().recover();
  await gone(start());
  assert.ok(!existsSync(inside()) && !existsSync(tree));
  // The directory was renamed, and half of it is gone.
  mkdirSync(join(tree, 'rest'), { recursive: true });
  await start().recover();
  await gone(start());
  assert.ok(!existsSync(tree));
});
