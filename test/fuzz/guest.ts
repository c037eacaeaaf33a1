/**
 * What a hostile guest may send to its host: recordings of what a supervisor says, spoiled in the ways that parsers die of. Used in a small
 * size by the tests beside the code, and in a large one by the soak.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { encodeFrame, encodeJson, FrameReader, JSON_FRAME } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { parseJsonFrame } from '#supervisor/framed-socket.ts';
import { checkFromSupervisor } from '#supervisor/messages.ts';
import { decodeOutput, encodeOutput } from '#supervisor/output-record.ts';
import { EXEC_OUTPUT_FRAME, OUTPUT_FRAME } from '#supervisor/protocol.ts';
import { openSession, type Session } from '#supervisor/session.ts';

const golden = new URL('../golden/supervisor/', import.meta.url);
const TASK = 'fuzzed';
const CONTAINERS = 2;

const state = (change: object = {}) => {
  const container = (name: string) => ({
    name,
    status: 'running',
    pid: 7,
    startedAtMs: 1,
    finishedAtMs: null,
    exitCode: null,
    oomKilled: false,
    failure: null,
    health: 'UNKNOWN',
    healthReason: null,
    restartCount: 0,
  });
  const containers = [container('app'), container('side')];
  return {
    t: 'state',
    seq: 1,
    state: { taskId: TASK, pid: 9, failure: null, containers, droppedBytes: 0, spoolBase: 0, spoolEnd: 0, ...change },
  };
};
const output = (offset: number, text: string, container = 0) => {
  const record = { offset, timeMs: 5, container, source: 'stdout', partial: false, gap: false, data: Buffer.from(text) } as const;
  return encodeFrame(OUTPUT_FRAME, encodeOutput(record));
};

const kinds = new Set<string>(['state', 'stats', 'error', 'released', 'exec-started', 'exec-taken', 'exec-exit', 'exec-error', 'latency']);

/** Whole, valid frames. */
const recordings: Buffer[] = [
  ...readdirSync(golden)
    .filter((name) => name.startsWith('from-supervisor'))
    .map((name) => encodeJson(JSON.parse(readFileSync(new URL(name, golden), 'utf8')))),
  encodeJson(state()),
  output(0, 'first line'),
  output(33, 'second', 1),
  output(0, ''),
  // It ends where numbers are exact no more.
  output(Number.MAX_SAFE_INTEGER - 22, ''),
  encodeFrame(EXEC_OUTPUT_FRAME, Buffer.from([0, 0, 0, 1, 1, 104, 105])),
];

/** Texts that stand in for a value in a JSON message. */
const values = [
  '1e999',
  '-1',
  '9007199254740993',
  '1.5',
  '1e21',
  '-0',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"\\u0000\\u001b[2J"',
  '"\\ud800"',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '"__proto__"',
  '"toString"',
  '"constructor"',
  '"hasOwnProperty"',
  `"${'x'.repeat(20_000)}"`,
  '['.repeat(5000),
  `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  `[${'{},'.repeat(2000)}{}]`,
];
const keys = ['__proto__', 'constructor', 't', 'id', 'state', 'toString', 'containers'];

/** One way to spoil a stream of bytes, or one frame of JSON in it. */
type Spoil = (frames: Buffer[]) => Buffer[];

const inFrame =
  (index: number, change: (text: string) => string): Spoil =>
  (frames) =>
    frames.map((frame, at) => {
      if (at !== index % frames.length || frame[4] !== JSON_FRAME) return frame;
      const text = Buffer.from(change(frame.subarray(5).toString('utf8')));
      return text.length + 1 > limits.frameBytes ? frame : encodeFrame(JSON_FRAME, text);
    });
const inStream =
  (change: (bytes: Buffer) => Buffer): Spoil =>
  (frames) => [change(Buffer.concat(frames))];
/** The nth value of the message, by the beginning of its text. */
const nth = (text: string, pattern: RegExp, n: number, replace: (found: string) => string): string => {
  const found = [...text.matchAll(pattern)];
  const one = found[n % Math.max(1, found.length)];
  return one === undefined ? text : text.slice(0, one.index) + replace(one[0]) + text.slice(one.index + one[0].length);
};

const place = fc.nat({ max: 100_000 });
const at = (bytes: Buffer, n: number) => (bytes.length === 0 ? 0 : n % bytes.length);
const splice = (bytes: Buffer, from: number, length: number, middle: Uint8Array) =>
  Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(from + length)]);

const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  fc
    .tuple(place, place, fc.constantFrom(...values))
    .map(([f, n, value]) => inFrame(f, (text) => nth(text, /(?<=:)("[^"]*"|[^,{}[\]"]+)/g, n, () => value))),
  fc
    .tuple(place, place, fc.constantFrom(...keys))
    .map(([f, n, key]) => inFrame(f, (text) => nth(text, /"\w+"(?=:)/g, n, () => `"${key}"`))),
  fc
    .tuple(place, place, fc.constantFrom(...keys), fc.constantFrom(...values))
    .map(([f, n, key, value]) => inFrame(f, (text) => nth(text, /\{/g, n, () => `{"${key}":${value},`))),
  fc
    .tuple(place, fc.integer({ min: 0, max: 255 }))
    .map(([n, byte]) => inStream((bytes) => splice(bytes, at(bytes, n), 1, Buffer.from([byte])))),
  fc.tuple(place, fc.uint8Array({ maxLength: 64 })).map(([n, more]) => inStream((bytes) => splice(bytes, at(bytes, n), 0, more))),
  fc.tuple(place, fc.nat({ max: 64 })).map(([n, length]) => inStream((bytes) => splice(bytes, at(bytes, n), length, Buffer.alloc(0)))),
  fc
    .tuple(place, place)
    .map(([n, m]) => inStream((bytes) => Buffer.concat([bytes.subarray(0, at(bytes, n)), bytes.subarray(at(bytes, m))]))),
  // Lengths, of frames, and the offsets and times of output.
  fc.tuple(place, fc.constantFrom(0, 1, 5, 0x7fff_ffff, 0xffff_ffff, limits.frameBytes, limits.frameBytes + 1), fc.nat({ max: 24 })).map(
    ([f, number, offset]): Spoil =>
      (frames) =>
        frames.map((frame, index) => {
          if (index !== f % frames.length || frame.length < offset + 4) return frame;
          const copy = Buffer.from(frame);
          copy.writeUInt32BE(number, offset);
          return copy;
        }),
  ),
);

/** Chunks that end just before, at and after the end of a frame. */
const edges = recordings.flatMap((frame) => [frame.length - 1, frame.length, frame.length + 1]);

/** A stream of bytes, and how it is cut into chunks. */
export const hostileStream = fc
  .record({
    order: fc.array(fc.nat({ max: recordings.length - 1 }), { minLength: 1, maxLength: 8 }),
    spoils: fc.array(spoil, { maxLength: 4 }),
    cuts: fc.array(fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.constantFrom(...edges)), { minLength: 1, maxLength: 8 }),
  })
  .map(({ order, spoils, cuts }) => {
    const frames = order.map((index) => recordings[index] ?? Buffer.alloc(0));
    return { bytes: Buffer.concat(spoils.reduce((now, one) => one(now), frames)), cuts };
  });

function chunks(bytes: Buffer, cuts: number[]): Buffer[] {
  const out: Buffer[] = [];
  for (let from = 0, n = 0; from < bytes.length; n++) {
    const length = cuts[n % cuts.length] ?? 1;
    out.push(bytes.subarray(from, from + length));
    from += length;
  }
  return out;
}

/** Everything that the parser makes of a stream, up to the fault that ends it. Any other error is thrown on. */
function parse(pieces: Buffer[]): { seen: unknown[]; fault: string | null } {
  const reader = new FrameReader();
  const seen: unknown[] = [];
  try {
    for (const piece of pieces) {
      for (const frame of reader.push(piece)) {
        if (frame.kind === JSON_FRAME) {
          const message = checkFromSupervisor(parseJsonFrame(frame.payload), '');
          assert.ok(kinds.has(message.t), message.t);
          seen.push(message);
        } else if (frame.kind === OUTPUT_FRAME) seen.push(decodeOutput(frame.payload, CONTAINERS));
        else seen.push([frame.kind, Buffer.from(frame.payload)]);
      }
    }
  } catch (error) {
    if (!isFault(error, 'ProtocolError')) throw error;
    return { seen, fault: error.message };
  }
  return { seen, fault: null };
}

/** However it is cut, the same comes out; nothing but a ProtocolError ends it; and nothing strange gets through. */
export function fuzzParser(runs: number, seed: number): void {
  const clean = Object.getOwnPropertyNames(Object.prototype).join();
  fc.assert(
    fc.property(hostileStream, ({ bytes, cuts }) => {
      const whole = parse([bytes]);
      const cut = parse(chunks(bytes, cuts));
      // Of two faults in one piece the reader's is told first.
      assert.equal(cut.fault === null, whole.fault === null);
      // What came in one piece with the bytes that end it all is not looked at any more.
      assert.deepEqual(whole.fault === null ? cut.seen : cut.seen.slice(0, whole.seen.length), whole.seen);
      assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), clean);
      assert.ok((whole.fault ?? '').length < 1000, 'a fault repeats what the guest said');
      for (const one of whole.seen) assertPlain(one);
    }),
    { numRuns: runs, seed },
  );
}

/** Only plain data, its numbers whole and safe, its text bounded. */
function assertPlain(value: unknown): void {
  // -1: of a health check that didn't run.
  if (typeof value === 'number') assert.ok(Number.isSafeInteger(value) && value >= -1, `${value}`);
  else if (typeof value === 'string') assert.ok(value.length <= limits.supervisorTextBytes);
  else if (Array.isArray(value)) value.forEach(assertPlain);
  else if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    Object.values(value).forEach(assertPlain);
  }
}

/** A real session with a peer that first says who it is, and then anything: it stays or is lost, once, and the host lives on. */
export async function fuzzSession(runs: number, seed: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-fuzz-'));
  const path = join(dir, 'sup.sock');
  let next: { bytes: Buffer; cuts: number[] } = { bytes: Buffer.alloc(0), cuts: [1] };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.write(encodeJson(state()));
    for (const piece of chunks(next.bytes, next.cuts)) socket.write(piece);
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await fc.assert(
      fc.asyncProperty(hostileStream, async (stream) => {
        next = stream;
        const lost: string[] = [];
        const over = Promise.withResolvers<void>();
        let session: Session | null = null;
        session = await openSession(
          { path, taskId: TASK, containers: CONTAINERS, from: 0, clock: realClock() },
          {
            state: (now) => (assert.equal(now.containers.length, CONTAINERS), now.spoolEnd > 0 && session?.ack(1)),
            output: (record) => (assertPlain(record), queueMicrotask(() => session?.ack(record.end))),
            run: ({ bytes, from, to }) => (assert.equal(to, from + bytes.length), queueMicrotask(() => session?.ack(to))),
            error: () => {},
            lost: (reason) => (lost.push(reason), over.resolve()),
          },
        ).catch((error: unknown) => {
          assert.ok(isFault(error, 'ProtocolError') || isFault(error, 'Unavailable'), String(error));
          return null;
        });
        if (session === null) return;
        const timer = realClock().after(50, () => over.resolve());
        await over.promise;
        timer.cancel();
        session.detach();
        assert.ok(lost.length <= 1);
      }),
      { numRuns: runs, seed },
    );
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  }
}
