import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { lostTeller } from './lost-output.ts';
import { createTails } from './tails.ts';

const line = (text: string, container = 'app', time = 0) => ({ container, source: 'stdout' as const, time, text });
const texts = (tail: { lines: { text: string }[] }) => tail.lines.map(({ text }) => text);

describe('the last lines of containers', () => {
  it('are few where a log group has all, and many where nothing else has them', () => {
    const tails = createTails();
    for (let i = 0; i < 1000; i++) {
      tails.add('t', line(`short ${i}`));
      tails.add('t', line(`long ${i}`, 'side'), true);
    }
    assert.equal(tails.get('t', { container: 'app', lines: 10_000 }).lines.length, limits.tailLines);
    assert.equal(tails.get('t', { container: 'side', lines: 10_000 }).lines.length, 1000);
    assert.deepEqual(texts(tails.get('t', { container: 'side', lines: 2 })), ['long 998', 'long 999']);
  });

  it('take no more than their bytes, and the newest stay', () => {
    const tails = createTails();
    for (let i = 0; i < 5000; i++) tails.add('t', line(`${i} ${'x'.repeat(200)}`), true);
    const kept = tails.get('t', { lines: 10_000 }).lines;
    assert.ok(kept.length > limits.tailLines);
    assert.ok(kept.reduce((sum, { text }) => sum + text.length, 0) <= limits.tailBytes);
    assert.match(kept.at(-1)?.text ?? '', /^4999 /);
    tails.add('t', line('y'.repeat(100_000)), true);
    assert.equal(tails.get('t', { lines: 1 }).lines[0]?.text.length, limits.tailLongLineChars);
  });

  it('shrink to a few of each where all together are too many, and come back when tasks are forgotten', () => {
    const tails = createTails();
    const long = 'x'.repeat(1000);
    const tasks = Array.from({ length: Math.ceil(limits.tailAllBytes / limits.tailBytes) + limits.tailEndedTasks + 5 }, (_, i) => `t${i}`);
    for (const task of tasks) for (let i = 0; i < 300; i++) tails.add(task, line(long), true);
    assert.ok(tails.get(tasks.at(-1) ?? '', { lines: 10_000 }).lines.length <= limits.tailLines + 1);
    for (const task of tasks) tails.ended(task);
    for (let i = 0; i < 100; i++) tails.add('new', line(long), true);
    assert.equal(tails.get(tasks[0] ?? '', {}).lines.length, 0);
  });

  it('are followed from where the answer before ended, and from the start where another agent counts', () => {
    const tails = createTails(7);
    tails.add('t', line('a'), true);
    const first = tails.get('t', { container: 'app' });
    assert.deepEqual(texts(first), ['a']);
    assert.deepEqual(texts(tails.get('t', { after: first.next ?? '' })), []);
    tails.add('t', line('b'), true);
    tails.add('t', line('c', 'side'), true);
    assert.deepEqual(texts(tails.get('t', { container: 'app', after: first.next ?? '' })), ['b']);
    assert.deepEqual(texts(tails.get('t', { container: 'app', after: '6.99' })), ['a', 'b']);
  });
});

describe('lost output', () => {
  it('is told at once, then now and again, the newest of each container', async () => {
    const clock = virtualClock();
    const told: string[] = [];
    const lost = lostTeller(clock, ({ container, bytes }) => told.push(`${container} ${bytes}`));
    const some = (container: string, bytes: number) => lost([{ container, driver: 'awslogs', bytes }]);
    some('a', 1);
    assert.deepEqual(told, ['a 1']);
    some('a', 2);
    some('b', 5);
    some('a', 3);
    await clock.advance(10_000);
    assert.deepEqual(told.splice(1), ['a 3', 'b 5']);
    await clock.advance(20_000);
    some('a', 4);
    assert.deepEqual(told, ['a 1', 'a 4']);
  });
});
