import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { createThrottle } from './throttle.ts';

test('a task may ask so many times at once and so often then, and takes nothing from another', async () => {
  const clock = virtualClock();
  const may = createThrottle(clock);
  const asked = (caller: string, times: number) => Array.from({ length: times }, () => may(caller)).filter(Boolean).length;
  assert.equal(asked('a', 200), limits.metadataBurst);
  assert.equal(asked('b', 10), 10);
  await clock.advance(1_000);
  assert.equal(asked('a', 200), limits.metadataRate);
});
