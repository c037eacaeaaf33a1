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
  assert.deepEqual(cut(['e', 'd', 'x', 'c'], next).page, ['x', 'c']);
  // Both are gone that could tell where to begin: rather one twice than one never.
  assert.deepEqual(cut(['e', 'b', 'a'], next).page, ['e', 'b']);
  assert.deepEqual(cut([], next), { page: [], next: undefined });
  assert.equal(cut(['e', 'd']).next, undefined);
});

test('who deletes each page before asking for the next has seen all in the end', () => {
  for (const lost of [0, 1]) {
    let all = Array.from({ length: 9 }, (_, n) => `k${n}`);
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const { page, next } = cut(all, token);
      seen.push(...page);
      // Another deletes the one after it, too.
      all = all.slice(page.length + lost);
      token = next;
    } while (token !== undefined);
    assert.deepEqual(seen, lost === 0 ? ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8'] : ['k0', 'k1', 'k3', 'k4', 'k6', 'k7']);
  }
});

test('a token that no list gave is refused', () => {
  const texts = ['1:y', 'null', '{}', '["a"]', '["a","b","c"]', '["a","b",1.5]'];
  for (const token of ['', 'abc', ...texts.map((text) => Buffer.from(text).toString('base64url'))])
    assert.throws(() => cut(['a'], token), /no such token/, token);
});
