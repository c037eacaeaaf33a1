import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutPage } from './page.ts';

const refuse = () => new Error('no such token');
const cut = (all: string[], token?: string) => cutPage(all, (one) => one, { size: 2, token }, refuse);

test('a list is walked through by pages, in its own order, whatever goes or comes meanwhile', () => {
  const first = cut(['e', 'd', 'c', 'b', 'a']);
  assert.deepEqual(first.page, ['e', 'd']);
  const { next } = first;
  assert.deepEqual(cut(['e', 'd', 'c', 'b', 'a'], next).page, ['c', 'b']);
  assert.deepEqual(cut(['f', 'e', 'd', 'c'], next), { page: ['c'], next: undefined });
  assert.deepEqual(cut(['e', 'c', 'b'], next).page, ['c', 'b']);
  assert.deepEqual(cut([], next), { page: [], next: undefined });
  assert.equal(cut(['e', 'd']).next, undefined);
});

test('a token that no list gave is refused', () => {
  for (const token of ['', 'abc', Buffer.from('x:y').toString('base64url')]) assert.throws(() => cut(['a'], token), /no such token/);
});
