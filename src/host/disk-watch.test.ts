import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits.ts';
import { nextLookMs } from './disk-watch.ts';

const GIB = 1024 ** 3;

test('the less is free, the sooner it is looked again; nobody writes past the last resort between two looks', () => {
  assert.equal(nextLookMs(100 * GIB, 2 * GIB), limits.diskLookMs);
  assert.equal(nextLookMs(0, 2 * GIB), limits.diskLookQuicklyMs);
  assert.equal(nextLookMs(1000, 0), limits.diskLookQuicklyMs);
  for (let free = 1.5 * GIB; free < 20 * GIB; free += GIB / 8) {
    const ms = nextLookMs(free, 2 * GIB);
    const written = Math.round((ms / 1000) * limits.diskFillBytesPerSecond);
    assert.ok(free - written >= GIB - limits.diskFillBytesPerSecond * (limits.diskLookQuicklyMs / 1000), `${free}: ${ms} ms`);
  }
});
