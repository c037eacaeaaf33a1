import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits.ts';
import type { OutputRecord } from '#sandbox/driver.ts';
import { createMultilineJoiner } from './multiline.ts';
import { createLineJoiner } from './output-lines.ts';

function record(data: string, change: Partial<OutputRecord> = {}): OutputRecord {
  return { container: 'app', source: 'stdout', timeMs: 1, data: Buffer.from(data), partial: false, gap: false, ...change };
}

const joiner = () => createMultilineJoiner(createLineJoiner(), (line) => line.startsWith('['));

test("an event goes on until the next begins, with its first line's time", () => {
  const lines = joiner();
  assert.deepEqual(lines.push(record('[1] boom', { timeMs: 5 }), 0, 10), []);
  assert.deepEqual(lines.push(record('  at x', { timeMs: 6 }), 10, 20), []);
  assert.equal(lines.pendingFrom(), 0);
  const [event] = lines.push(record('[2] fine', { timeMs: 7 }), 20, 30);
  assert.deepEqual(event, { container: 'app', source: 'stdout', time: 5, text: '[1] boom\n  at x\n', end: 20 });
  assert.equal(lines.pendingFrom(), 20);
  assert.deepEqual(
    lines.flush().map((one) => [one.text, one.end]),
    [['[2] fine\n', 30]],
  );
  assert.equal(lines.pendingFrom(), undefined);
});

test('an event is no larger than CloudWatch Logs takes, and holds no more than half the window', () => {
  const lines = joiner();
  const text = 'x'.repeat(16_000);
  const events = Array.from({ length: 40 }, (_, index) => lines.push(record(text), index * 16_023, (index + 1) * 16_023)).flat();
  assert.ok(events.length >= 2);
  for (const event of events) assert.ok(Buffer.byteLength(event.text) <= limits.logEventBytes);

  const short = joiner();
  let at = 0;
  const many = Array.from({ length: 60_000 }, () => short.push(record('y'), at, (at += 24))).flat();
  assert.ok(many.length >= 1, 'lines of a byte take more room in the spool than as text');
  assert.ok(at - (short.pendingFrom() ?? 0) <= limits.outputWindowBytes / 2 + 24);
});
