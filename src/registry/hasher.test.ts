import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#base/fault.ts';
import { createHasher } from './hasher.ts';

const hex = (bytes: Uint8Array, algorithm: 'sha256' | 'sha512') => createHash(algorithm).update(bytes).digest('hex');

test('files that grow have the digest of what they were said to have, each its own', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-hasher-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const hasher = createHasher();
  const [one, two] = [join(dir, 'one'), join(dir, 'two')];
  const bytes = Buffer.alloc(2_500_000, 'what is pushed');
  writeFileSync(one, bytes.subarray(0, 1_200_000));
  writeFileSync(two, 'other bytes');
  hasher.advance(one, 1_100_000);
  assert.equal(await hasher.digest(two, 5, 'sha256'), hex(Buffer.from('other'), 'sha256'));
  assert.equal(await hasher.digest(one, 1_200_000, 'sha256'), hex(bytes.subarray(0, 1_200_000), 'sha256'));
  appendFileSync(one, bytes.subarray(1_200_000));
  assert.equal(await hasher.digest(one, bytes.length, 'sha512'), hex(bytes, 'sha512'));
  assert.equal(await hasher.digest(one, bytes.length, 'sha256'), hex(bytes, 'sha256'));
  // Another file of that name.
  hasher.forget(two);
  writeFileSync(two, 'new');
  assert.equal(await hasher.digest(two, 3, 'sha256'), hex(Buffer.from('new'), 'sha256'));
  const short = hasher.digest(two, 4, 'sha256');
  await assert.rejects(short, (error) => isFault(error, 'Internal') && /ends at byte 3, before 4/.test(error.message));
  assert.equal(await hasher.digest(two, 3, 'sha256'), hex(Buffer.from('new'), 'sha256'));
});
