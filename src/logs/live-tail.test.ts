import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { packEvents } from '#base/packed-events.ts';
import { createLiveTail, liveTailUpdates } from './live-tail.ts';
import { compilePattern } from './pattern.ts';

const groups = new Map([[1, 'app']]);
const committed = (messages: string[], stream = 'web') => ({
  groupId: 1,
  stream,
  ingestedAt: 7,
  events: packEvents(messages.map((message, i) => ({ timestamp: i, message }))).bytes,
});

describe('a live tail', () => {
  it('tells what matches, of the streams that are wanted, and each once', () => {
    const tail = createLiveTail({ groups, wantsStream: (name) => name === 'web', match: compilePattern('x') });
    tail.take(committed(['a', 'xa', 'bx']));
    tail.take(committed(['x'], 'other'));
    assert.deepEqual(
      tail.collect().events.map(({ message }) => message),
      ['xa', 'bx'],
    );
    assert.deepEqual(tail.collect(), { events: [], sampled: false });
  });

  it('samples evenly what is more than one update holds, and says so', () => {
    const tail = createLiveTail({ groups, wantsStream: () => true, match: compilePattern('') });
    const all = Array.from({ length: 50_000 }, (_, i) => String(i));
    for (let i = 0; i < all.length; i += 1000) tail.take(committed(all.slice(i, i + 1000)));
    const { events, sampled } = tail.collect();
    assert.equal(sampled, true);
    assert.equal(events.length, limits.logLiveTailEvents);
    const numbers = events.map(({ message }) => Number(message));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.ok(numbers.filter((n) => n < 25_000).length > limits.logLiveTailEvents / 3);
    tail.take(committed(['one']));
    assert.deepEqual(tail.collect().sampled, false);
  });

  it('holds no more bytes than it is given', () => {
    const tail = createLiveTail({ groups, wantsStream: () => true, match: compilePattern('') });
    const large = 'x'.repeat(200_000);
    for (let i = 0; i < 100; i++) tail.take(committed([large]));
    const { events, sampled } = tail.collect();
    assert.equal(sampled, true);
    assert.ok(events.reduce((sum, { message }) => sum + message.length, 0) <= limits.logLiveTailBytes);
  });

  it('ends after three hours', async () => {
    const clock = virtualClock();
    let stopped = 0;
    const updates = liveTailUpdates(
      clock,
      () => ({ events: [], sampled: false }),
      () => () => stopped++,
    );
    const first = updates.next();
    await clock.advance(limits.logLiveTailEveryMs);
    assert.equal((await first).done, false);
    const last = updates.next();
    await clock.advance(limits.logLiveTailMs);
    await last;
    await assert.rejects(updates.next(), (error) => isFault(error, 'TimedOut'));
    assert.equal(stopped, 1);
  });
});
