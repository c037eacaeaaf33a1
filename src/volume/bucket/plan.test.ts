import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { defaultMeta, keyOfName, metadataOf, nameOfKey, posixOf } from '#domain/bucket-files.ts';
import { planSync } from './plan.ts';
import type { BaseEntry, LocalEntry, RemoteObject } from './types.ts';

const meta = defaultMeta(false);
const at = (etag: string): RemoteObject => ({ etag, modifiedAt: 1, size: 1 });
const file = (ino: string, ctimeMs = 0): LocalEntry => ({
  type: 'file',
  ino,
  body: ino,
  stamp: `${ino}@${ctimeMs}`,
  ctimeMs,
  size: 1,
  meta,
  mtimeMs: 0,
});
const directory = (mode = 0o755): LocalEntry => ({ ...file('d'), type: 'directory', meta: { ...meta, mode } });
const agreed = (etag: string | null, local: LocalEntry): BaseEntry => ({
  version: etag === null ? null : { etag, modifiedAt: 1 },
  stamp: local.type === 'directory' ? '' : local.stamp,
  ino: local.ino,
  meta: local.meta,
});
type Side<T> = Record<string, T>;
const plan = (base: Side<BaseEntry>, local: Side<LocalEntry>, remote: Side<RemoteObject>, now = 60_000, noticed: Side<number> = {}) => {
  const maps = { base: new Map(Object.entries(base)), local: new Map(Object.entries(local)), remote: new Map(Object.entries(remote)) };
  const { actions, ...rest } = planSync({ ...maps, noticed: new Map(Object.entries(noticed)), now, exportAfterMs: 60_000 });
  return { ...rest, actions: actions.map((action) => `${action.do} ${action.name}`) };
};

test('a file goes to the bucket once nothing of it changed for a minute', () => {
  assert.deepEqual(plan({}, { a: file('1', 1) }, {}).actions, []);
  assert.equal(plan({}, { a: file('1', 1) }, {}).pending, 1);
  assert.deepEqual(plan({}, { a: file('1', 0) }, {}).actions, ['export a']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1', 5) }, { a: at('e') }, 60_005).actions, ['export a']);
});

test('what was deleted or made without a time of its own waits from when it was seen', () => {
  const gone = (now: number, noticed: Side<number>) => plan({ a: agreed('e', file('1')) }, {}, { a: at('e') }, now, noticed);
  const first = gone(1000, {});
  assert.deepEqual([first.actions, [...first.noticed]], [[], [['a', 1000]]]);
  assert.deepEqual(gone(60_999, { a: 1000 }).actions, []);
  assert.deepEqual(gone(61_000, { a: 1000 }).actions, ['delete a']);
  assert.deepEqual(plan({}, { 'd/': directory() }, {}, 61_000, { 'd/': 1000 }).actions, ['export d/']);
});

test('a renamed file keeps its former object until the new one is there', () => {
  const moved = plan({ a: agreed('e', file('1')) }, { b: file('1', 50_000) }, { a: at('e') }, 61_000, { a: 1000 });
  assert.deepEqual([moved.actions, moved.pending], [[], 2]);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { b: file('1', 1000) }, { a: at('e') }, 61_000, { a: 1000 }).actions, [
    'export b',
    'delete a',
  ]);
});

test('the bucket is taken at once, and wins', () => {
  assert.deepEqual(plan({}, {}, { 'a/b': at('e') }).actions, ['mkdir a/', 'import a/b']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1') }, { a: at('f') }).actions, ['import a']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1') }, {}).actions, ['remove a']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1', 9) }, { a: at('f') }).actions, ['meet a']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1', 9) }, {}).actions, ['quarantine a']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, {}, { a: at('f') }).actions, ['import a']);
  assert.deepEqual(plan({}, { a: { ...file('1'), type: 'other' } }, {}).actions, []);
});

test('a directory goes with the last that the bucket had in it, not with the last that a task had', () => {
  const base = { 'd/': agreed(null, directory()), 'd/a': agreed('e', file('1')) };
  assert.deepEqual(plan(base, { 'd/': directory(), 'd/a': file('1') }, {}).actions, ['remove d/a', 'rmdir d/']);
  const emptied = plan(base, { 'd/': directory() }, { 'd/a': at('e') }, 61_000, { 'd/a': 1, 'd/': 1 });
  assert.deepEqual(emptied.actions, ['export d/', 'delete d/a']);
  assert.deepEqual(plan({ 'd/': agreed('m', directory()) }, { 'd/': directory() }, {}).actions, ['rmdir d/']);
});

test('a name that is a directory in the bucket is one in the file system', () => {
  const both = { a: at('e'), 'a/b': at('f') };
  const first = plan({}, {}, both);
  assert.deepEqual([first.actions, first.hidden], [['mkdir a/', 'import a/b'], 1]);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1') }, both).actions, ['remove a', 'mkdir a/', 'import a/b']);
  assert.deepEqual(plan({ a: agreed('e', file('1')) }, { a: file('1', 9) }, both).actions, ['quarantine a', 'mkdir a/', 'import a/b']);
  const beside = plan({ 'a/': agreed('m', directory()) }, { 'a/': directory() }, { 'a/': at('m'), a: at('e') });
  assert.deepEqual([beside.actions, beside.hidden], [[], 1]);
});

test('modes of directories go both ways', () => {
  const base = { 'd/': agreed('m', directory()) };
  assert.deepEqual(plan(base, { 'd/': directory(0o700) }, { 'd/': at('m') }, 61_000, { 'd/': 1 }).actions, ['export d/']);
  assert.deepEqual(plan(base, { 'd/': directory() }, { 'd/': at('n') }).actions, ['permit d/']);
});

test('keys that are no paths have no name, and every name leads back to its key', () => {
  for (const key of [
    'a//b',
    '/a',
    'a/../b',
    '..',
    './a',
    'a/.',
    '/',
    '',
    'a\0b',
    `${'x'.repeat(256)}/a`,
    '.s3files-lost+found-fs-1/a',
    'a/.nfs0000000000000001',
    '\ud800',
  ])
    assert.equal(nameOfKey('', key), undefined, JSON.stringify(key));
  assert.equal(nameOfKey('p/', 'p/'), undefined);
  assert.deepEqual(nameOfKey('p/', 'p/a/b/'), { path: 'a/b', directory: true });
  assert.equal(keyOfName('', { path: 'é'.repeat(513), directory: false }), undefined);
  const part = fc.constantFrom('a', '.', '..', '', 'é', '\u{1f600}', ' ', '\n', '\0', '\ud800', '%2F', '\\', '.nfs0000000000000001');
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.constantFrom('', 'a/', 'é/a/'), (parts, prefix) => {
      const key = `${prefix}${parts.join('/')}`;
      const name = nameOfKey(prefix, key);
      if (name === undefined) return;
      assert.equal(keyOfName(prefix, name), key);
      assert.ok(name.path.split('/').every((one) => one !== '' && one !== '.' && one !== '..'));
    }),
    { numRuns: 500 },
  );
});

test('permissions are what their metadata says, and the default where it says nothing that makes sense', () => {
  const id = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(
      fc.constantFrom('file' as const, 'directory' as const, 'symlink' as const),
      fc.integer({ min: 0, max: 0o7777 }),
      id,
      id,
      (type, mode, uid, gid) => {
        const told = metadataOf(type, { mode, uid, gid }, 1_700_000_000_123.7);
        assert.deepEqual(posixOf(told, type === 'directory'), { type, meta: { mode, uid, gid }, mtimeMs: 1_700_000_000_123 });
      },
    ),
    { numRuns: 100 },
  );
  const odd = { 'file-permissions': '99', 'file-owner': '-1', 'file-group': '4294967296', 'file-mtime': 'now' };
  assert.deepEqual(posixOf(odd, false), { type: 'file', meta: { mode: 0o644, uid: 0, gid: 0 }, mtimeMs: undefined });
});
