import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isFault } from '#base/fault.ts';
import { placeOf, sideOf } from './copy-place.ts';
import type { Kind } from './copy-place.ts';

const place = (source: string, kind: 'directory' | 'other', target: string, targetKind: Kind) => {
  const { dir, name } = placeOf({ path: source, kind }, { path: target, kind: targetKind });
  return [dir, name];
};

it('puts a file where docker cp does', () => {
  assert.deepEqual(place('a/f', 'other', '/d/new', 'missing'), ['/d', 'new']);
  assert.deepEqual(place('a/f', 'other', '/d/old', 'other'), ['/d', 'old']);
  assert.deepEqual(place('a/f', 'other', '/d', 'directory'), ['/d', 'f']);
  assert.deepEqual(place('f', 'other', 'new', 'missing'), ['.', 'new']);
});

it('puts a directory, or what is in it, where docker cp does', () => {
  assert.deepEqual(place('a/d', 'directory', '/x/new', 'missing'), ['/x', 'new']);
  assert.deepEqual(place('a/d', 'directory', '/x/new/', 'missing'), ['/x', 'new']);
  assert.deepEqual(place('a/d', 'directory', '/x', 'directory'), ['/x', 'd']);
  assert.deepEqual(place('a/d/', 'directory', '/x/', 'directory'), ['/x/', 'd']);
  assert.deepEqual(place('a/d/.', 'directory', '/x', 'directory'), ['/x', '']);
  assert.deepEqual(place('.', 'directory', '/x', 'directory'), ['/x', '']);
  assert.deepEqual(place('/', 'directory', 'x', 'directory'), ['x', '']);
  assert.deepEqual(place('a/d/.', 'directory', '/x/new', 'missing'), ['/x', 'new']);
});

it('says what can’t go where', () => {
  const refused = (pattern: RegExp, ...[source, kind, target, there]: Parameters<typeof place>) =>
    assert.throws(
      () => place(source, kind, target, there),
      (error) => isFault(error, 'InvalidParameter') && pattern.test(error.message),
    );
  refused(/'\/d\/' does not exist/, 'f', 'other', '/d/', 'missing');
  refused(/'d' is a directory, and '\/f' is none/, 'd', 'directory', '/f', 'other');
  refused(/'\/f\/' is not a directory/, 'f', 'other', '/f/', 'other');
});

it('tells a task’s path from a local one', () => {
  assert.deepEqual(sideOf('web:/etc/hosts'), { task: 'web', path: '/etc/hosts' });
  assert.deepEqual(sideOf('web:etc'), { task: 'web', path: '/etc' });
  for (const local of ['/a:b', './web:x', 'file', '-', ':x']) assert.deepEqual(sideOf(local), { task: null, path: local });
  assert.throws(() => sideOf('web:'), /names no path/);
});
