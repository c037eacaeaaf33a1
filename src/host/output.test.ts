import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { virtualClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { OutputBatch } from '#link/protocol.ts';
import type { OutputRecord } from '#sandbox/driver.ts';
import { checkRun, packRun } from '#base/output-run.ts';
import type { OutputRun } from '#base/output-run.ts';
import { encodeOutput } from '#supervisor/output-record.ts';
import { createTaskOutput } from './output.ts';
import { LOST, splitText } from './output-lines.ts';
import { createTails } from './tails.ts';

const key = { account: '1', region: 'r', cluster: 'c', id: 't' };

function record(data: string, change: Partial<OutputRecord> = {}): OutputRecord {
  return { container: 'app', source: 'stdout', timeMs: 1, data: Buffer.from(data), partial: false, gap: false, ...change };
}

/** Of containers by their index in `names`. */
function runOf(from: number, lines: { container?: number; text: string; partial?: boolean }[]): OutputRun {
  let offset = from;
  const records = lines.map(({ container = 0, text, partial = false }) => {
    const record = encodeOutput({ offset, timeMs: 1, container, source: 'stdout', partial, gap: false, data: Buffer.from(text) });
    offset += record.length + 4;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    return Buffer.concat([length, record]);
  });
  return checkRun(Buffer.concat(records), names.length);
}
const names = ['app', 'side'];

function rig(logged = ['app', 'side'], takesRuns = false) {
  const clock = virtualClock();
  const batches: OutputBatch[] = [];
  const acks: number[] = [];
  const tails = createTails();
  const state = { up: true };
  const port = { send: (batch: OutputBatch) => (state.up && batches.push(batch), state.up), ack: (to: number) => void acks.push(to) };
  const output = createTaskOutput({ clock, tails, port }, { key, logged: new Set(logged), from: 0, takesRuns });
  return { clock, batches, acks, output, state, tails };
}

test('one batch at a time is under way, and an acknowledgement frees the spool up to its end', () => {
  const r = rig();
  r.output.records([record('one')], 0, 30);
  r.output.records([record('two')], 30, 60);
  r.output.records([record('three')], 60, 90);
  assert.deepEqual(
    r.batches.map((batch) => [batch.from, batch.to]),
    [[0, 30]],
  );
  r.output.acknowledged(30);
  assert.deepEqual(r.acks, [30]);
  assert.deepEqual(
    r.batches[1]?.events.map((event) => [event.text, event.end]),
    [
      ['two', 60],
      ['three', 90],
    ],
  );
  r.output.acknowledged(90);
  assert.deepEqual(r.acks, [30, 90]);
});

test('runs go as they are, two batches at a time, with what is not plain as events in its place', () => {
  const r = rig(undefined, true);
  const lines = (count: number) => Array.from({ length: count }, (_, n) => ({ text: `${n}`.padStart(77) }));
  const seen = () =>
    r.batches.map((batch) => {
      const runs = (batch.runs?.bytes ?? []).map((bytes) => packRun(Buffer.from(bytes)).get(0)?.count);
      return { from: batch.from, to: batch.to, acked: batch.acked, runs, events: batch.events.map(({ text }) => text) };
    });
  r.output.run(runOf(0, lines(3)), names);
  r.output.run(runOf(300, lines(2)), names);
  r.output.run(runOf(500, [{ text: 'begun' + '.'.repeat(72), partial: true }]), names);
  r.output.run(runOf(600, [...lines(1), { container: 1, text: 'x'.repeat(77) }]), names);
  r.output.run(runOf(800, lines(1)), names);
  assert.deepEqual(seen(), [
    { from: 0, to: 300, acked: 0, runs: [3], events: [] },
    { from: 300, to: 500, acked: 0, runs: [2], events: [] },
  ]);
  r.output.acknowledged(300);
  r.output.acknowledged(500);
  const joined = `begun${'.'.repeat(72)}${'0'.padStart(77)}`;
  assert.deepEqual(seen().slice(2), [
    { from: 500, to: 800, acked: 300, runs: [], events: [joined, 'x'.repeat(77)] },
    { from: 800, to: 900, acked: 500, runs: [1], events: [] },
  ]);
  // What was lost on the way comes again, in its order.
  r.output.linkUp();
  assert.deepEqual(
    seen()
      .slice(4)
      .map(({ from }) => from),
    [500, 800],
  );
  r.output.acknowledged(900);
  assert.deepEqual(r.acks, [300, 500, 900]);
  assert.equal(r.tails.get('t', { container: 'app' }).lines.length, 7);
});

test('what came in pieces is one line, and another container is held up by it for a moment only', async () => {
  const r = rig();
  r.output.records([record('a', { partial: true })], 0, 10);
  r.output.records([record('other', { container: 'side' })], 10, 20);
  assert.equal(r.batches.length, 0);
  r.output.records([record('b')], 20, 30);
  assert.deepEqual(
    r.batches[0]?.events.map((event) => event.text),
    ['other', 'ab'],
  );
  r.output.acknowledged(30);
  r.output.records([record('pro', { partial: true })], 30, 40);
  r.output.records([record('next', { container: 'side' })], 40, 50);
  await r.clock.advance(1500);
  assert.deepEqual(
    r.batches[1]?.events.map((event) => [event.text, event.end]),
    [
      ['pro', 40],
      ['next', 50],
    ],
  );
});

test('what was lost is said in its place, and ends the line before it', () => {
  const r = rig();
  r.output.records([record('half of a li', { partial: true })], 0, 40);
  r.output.records([record('after', { gap: true })], 40, 70);
  r.output.acknowledged(40);
  r.output.acknowledged(41);
  r.output.acknowledged(70);
  const events = r.batches.flatMap((batch) => batch.events.map((event) => [event.text, event.end]));
  assert.deepEqual(events, [
    ['half of a li', 40],
    [LOST, 41],
    ['after', 70],
  ]);
});

test('the spool is freed up to where a record begins, also within a line of many events', () => {
  const r = rig();
  const length = 13_001 + 23;
  for (let n = 0; n < 100; n++) {
    r.output.records([record('\u0001'.repeat(13_001), { partial: n < 99 })], n * length, (n + 1) * length);
  }
  for (let sent = 0; sent < r.batches.length; sent++) r.output.acknowledged(r.batches[sent]?.to ?? 0);
  const inside = r.batches.filter((batch) => batch.to % length !== 0);
  assert.ok(inside.length > 0, 'no batch ended within a record');
  assert.deepEqual(
    r.acks.filter((offset) => offset % length !== 0),
    [],
  );
  assert.equal(r.output.ackedOffset(), 100 * length);
});

test('what a former agent acknowledged without writing it down is not waited for', async () => {
  const r = rig();
  let safe: boolean | undefined;
  void r.output.drained(30).then((value) => (safe = value));
  r.output.freed(30);
  await r.clock.advance(1);
  assert.equal(safe, true);
  assert.equal(r.output.ackedOffset(), 30);
  r.output.records([record('next')], 30, 60);
  r.output.freed(30);
  assert.deepEqual(
    r.batches.map((batch) => [batch.from, batch.to]),
    [[30, 60]],
  );
});

test('without a log the output is freed at once and only its last lines are kept', () => {
  const r = rig([]);
  for (let n = 0; n < 30; n++) r.output.records([record(`line ${n}`)], n * 10, n * 10 + 10);
  assert.equal(r.batches.length, 0);
  assert.equal(r.acks.at(-1), 300);
  assert.equal(r.tails.get('t', {}).lines.length, limits.tailLines);
  assert.equal(r.tails.get('t', { lines: 1 }).lines[0]?.text, 'line 29');
});

test('a batch that is not acknowledged is sent again, the same', async () => {
  const r = rig();
  r.output.records([record('one')], 0, 30);
  await r.clock.advance(6000);
  assert.equal(r.batches.length, 2);
  assert.deepEqual(r.batches[0], r.batches[1]);
});

test('the end waits for the output: as long as the link is down, but not for a control plane that takes nothing', async () => {
  const r = rig();
  r.state.up = false;
  r.output.records([record('one')], 0, 30);
  let safe: boolean | undefined;
  void r.output.drained(30).then((value) => (safe = value));
  await r.clock.advance(300_000);
  assert.equal(safe, undefined);
  r.state.up = true;
  r.output.linkUp();
  await r.clock.advance(100);
  r.output.acknowledged(30);
  await r.clock.advance(100);
  assert.equal(safe, true);
  r.output.records([record('two')], 30, 60);
  void r.output.drained(60).then((value) => (safe = value));
  await r.clock.advance(61_000);
  assert.equal(safe, false);
});

test('an end that is never reached holds up the task for a bounded time, however the output trickles', async () => {
  const r = rig();
  let safe: boolean | undefined;
  void r.output.drained(Number.MAX_SAFE_INTEGER).then((value) => (safe = value));
  const startedAt = r.clock.now();
  for (let at = 0; safe === undefined; at += 10) {
    assert.ok(r.clock.now() - startedAt <= limits.outputDrainMs + 60_000, 'it is still waited for');
    r.output.records([record('drip')], at, at + 10);
    r.output.acknowledged(at + 10);
    await r.clock.advance(20_000);
  }
  assert.equal(safe, false);
});

test('no event is larger than the limits, and nothing of a text is lost by the split', () => {
  const pieces = fc.array(fc.constantFrom('a', '\u0001', 'ü', '😀', '\\', '\n'), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 120_000 }), (some, count) => {
      const text = some.join('').repeat(count).slice(0, 400_000);
      const parts = splitText(text);
      assert.equal(parts.join(''), text);
      for (const part of parts) {
        assert.ok(Buffer.byteLength(part) <= limits.logEventBytes);
        assert.ok(Buffer.byteLength(JSON.stringify(part)) <= limits.frameBytes / 2);
        assert.ok(!/^[\udc00-\udfff]/.test(part), 'cut inside a character');
      }
    }),
    { numRuns: 40 },
  );
});

test('whatever is repeated or lost on the way, every line arrives once and in order when cut by its end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.nat(40), side: fc.boolean(), partial: fc.boolean(), act: fc.nat(3) }), { maxLength: 40 }),
      async (steps) => {
        const r = rig();
        const got: Record<string, string> = { app: '', side: '' };
        const sent: Record<string, string> = { app: '', side: '' };
        let taken = 0;
        let read = 0;
        const deliver = (batch: OutputBatch | undefined) => {
          if (batch === undefined) return;
          for (const event of batch.events) if (event.end > taken) got[event.container] += event.text;
          taken = Math.max(taken, batch.to);
        };
        let at = 0;
        for (const [n, step] of steps.entries()) {
          const container = step.side ? 'side' : 'app';
          const text = `${n}:${'x'.repeat(step.size)};`;
          sent[container] += text;
          r.output.records([record(text, { container, partial: step.partial })], at, (at += 23 + text.length));
          if (step.act === 1) deliver(r.batches.at(-1));
          if (step.act >= 2) for (; read < r.batches.length; read++) deliver(r.batches[read]);
          if (step.act === 3) r.output.acknowledged(taken);
          await r.clock.advance(step.size);
        }
        for (let n = 0; n < 50 && (r.acks.at(-1) ?? 0) < at; n++) {
          await r.clock.advance(6000);
          for (const batch of r.batches) deliver(batch.to > taken ? batch : undefined);
          r.output.acknowledged(taken);
        }
        assert.deepEqual(got, sent);
        assert.equal(r.acks.at(-1) ?? 0, at);
      },
    ),
    { numRuns: 60 },
  );
});
