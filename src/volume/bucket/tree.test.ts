import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isPrivate } from '#domain/bucket-files.ts';
import { putIntoLostFound, scan } from './tree.ts';

function setUp(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-tree-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const root = join(dir, 'root');
  mkdirSync(root);
  return { dir, root };
}

test('more entries than a file system may have are refused, wherever they lie', async (t) => {
  const { root } = setUp(t);
  mkdirSync(join(root, 'a/b'), { recursive: true });
  writeFileSync(join(root, 'a/b/c'), '');
  assert.deepEqual([...(await scan(root, 0, 3)).keys()], ['a/', 'a/b/', 'a/b/c']);
  await assert.rejects(scan(root, 0, 2), { code: 'LimitExceeded', message: /more than 2 files and directories/ });
});

test('what a task put in the place of lost and found stays beside it, and leads nowhere', async (t) => {
  const { dir, root } = setUp(t);
  const lostFound = '.s3files-lost+found-fs-1';
  mkdirSync(join(dir, 'outside'));
  const obstacles = [
    () => writeFileSync(join(root, lostFound), 'in the way'),
    () => symlinkSync(join(dir, 'outside'), join(root, lostFound)),
  ];
  for (const [index, put] of obstacles.entries()) {
    rmSync(join(root, lostFound), { recursive: true, force: true });
    put();
    writeFileSync(join(dir, 'loser'), 'lost');
    await putIntoLostFound(root, lostFound, join(dir, 'loser'), `${index}`, 'name');
    assert.equal(readFileSync(join(root, lostFound, `${index}_name`), 'utf8'), 'lost');
    assert.ok(lstatSync(join(root, lostFound)).isDirectory() && !existsSync(join(dir, 'loser')));
  }
  assert.deepEqual(readdirSync(join(dir, 'outside')), []);
  assert.equal(readFileSync(join(root, `${lostFound}.0`), 'utf8'), 'in the way');
  assert.ok(readdirSync(root).every(isPrivate));
});
