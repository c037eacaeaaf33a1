import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { defaultMeta } from '#domain/bucket-files.ts';
import { openBaseLog } from './base-log.ts';

/** `disk`: how much room there is; null: as much as the machine has. */
function setUp(t: TestContext, disk: string | null = null) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-base-log-'));
  if (disk !== null) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${disk}`, 'tmpfs', dir]);
  t.after(() => {
    if (disk !== null) execFileSync('umount', ['--lazy', dir]);
    rmSync(dir, { recursive: true, force: true });
  });
  return { dir, path: join(dir, 'agreed.jsonl') };
}
const entry = (stamp: string) => ({ version: null, stamp, ino: '1', meta: defaultMeta(false) });
const read = async (path: string) => [...(await openBaseLog(path)).entries].map(([name, { stamp }]) => [name, stamp]);

test('what was added is there again, but for half a line at its end; any name is one line', async (t) => {
  const { path } = setUp(t);
  const log = await openBaseLog(path);
  await log.add([['a', entry('1')], ['line\nbreak\u2028\r', entry('2')]]); // prettier-ignore
  await log.add([['a', null], ['b', entry('3')]]); // prettier-ignore
  appendFileSync(path, '["c",{"version":null');
  const expected = [['line\nbreak\u2028\r', '2'], ['b', '3']]; // prettier-ignore
  assert.deepEqual(await read(path), expected);
  assert.deepEqual(await read(path), expected);
});

test('after a full disk nothing is added behind half a line', async (t) => {
  const { dir, path } = setUp(t, '64k');
  const log = await openBaseLog(path);
  await log.add([['first', entry('1')]]);
  writeFileSync(join(dir, 'others'), Buffer.alloc(32 * 1024));
  await assert.rejects(log.add([['n'.repeat(60_000), entry('2')]]), { code: 'ENOSPC' });
  rmSync(join(dir, 'others'));
  await log.add([['second', entry('3')]]);
  assert.deepEqual(await read(path), [['first', '1'], ['second', '3']]); // prettier-ignore
});
