/** What a hostile guest may do to the host, in a small size; `npm run soak` has the large one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { realClock, virtualClock } from '#base/clock.ts';
import { encodeFrame, encodeJson, FrameReader } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { checkFromSupervisor } from './messages.ts';
import { createMeter } from './meter.ts';
import { openSession } from './session.ts';
import { fuzzParser, fuzzSession } from '../../test/fuzz/guest.ts';

test('spoiled messages end in ProtocolError, or mean what they say', () => fuzzParser(1500, 20_261_126));

test('a session with a peer that says anything is lost once or stays', () => fuzzSession(60, 20_261_126));

test('a frame that comes byte by byte costs no more than its bytes', () => {
  const frame = encodeFrame(7, Buffer.alloc(limits.frameBytes - 1, 1));
  const reader = new FrameReader();
  const started = process.cpuUsage();
  let frames = 0;
  for (let at = 0; at < frame.length; at++) frames += reader.push(frame.subarray(at, at + 1)).length;
  const { user, system } = process.cpuUsage(started);
  assert.equal(frames, 1);
  // Gathering the whole again at each byte would take minutes.
  assert.ok(user + system < 5_000_000, `${user + system} us`);
});

test('what a supervisor says to people steers no terminal', () => {
  const said = checkFromSupervisor({ t: 'error', about: 'a\x1b]0;b\x07', message: 'one\n\ttwo\x1b[2J\x9b1m' }, '');
  assert.deepEqual(said, { t: 'error', about: 'a ]0;b ', message: 'one\n\ttwo [2J 1m' });
});

test('a meter lets a burst through, and then a rate', () => {
  let now = 0;
  const meter = createMeter({ ...realClock(), now: () => now }, { bytesPerSecond: 1000, burstBytes: 500 });
  assert.equal(meter.take(500), 0);
  assert.equal(meter.take(100), 100);
  now = 200;
  assert.equal(meter.take(100), 0);
  now = 10_000;
  assert.equal(meter.take(1500), 1000, 'no more than a burst was saved up');
});

test('a peer that says its state and hangs up, again and again, is none', { timeout: 30_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-hangs-'));
  const path = join(dir, 'sup.sock');
  const state = { taskId: 'abc', pid: 9, failure: null, containers: [], droppedBytes: 0, spoolBase: 0, spoolEnd: 0 };
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.end(encodeJson({ t: 'state', seq: 0, state }));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const lost = Promise.withResolvers<string>();
  const events = { state: () => {}, output: () => {}, run: () => {}, error: () => {}, lost: lost.resolve };
  await openSession({ path, taskId: 'abc', containers: 0, from: 0, clock: realClock() }, events);
  assert.match(await lost.promise, /closes every connection/);
  assert.ok(connections < 10, `${connections}`);
});

test('a flood of states is read no faster than its rate, and a flood of complaints is not told', { timeout: 30_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-flood-'));
  const path = join(dir, 'sup.sock');
  const state = { taskId: 'abc', pid: 9, failure: null, containers: [], droppedBytes: 0, spoolBase: 0, spoolEnd: 0 };
  const flood = Buffer.concat([
    ...Array.from({ length: 500 }, () => encodeJson({ t: 'error', about: 'x', message: 'y' })),
    ...Array.from({ length: 20_000 }, (_, seq) => encodeJson({ t: 'state', seq, state })),
  ]);
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.write(encodeJson({ t: 'state', seq: 0, state }));
    socket.write(flood);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  let [states, errors] = [0, 0];
  // Its time stands still, so that what may be read doesn't grow while a busy machine reads it.
  const clock = virtualClock();
  const session = await openSession(
    { path, taskId: 'abc', containers: 0, from: 0, clock },
    { state: () => void states++, output: () => {}, run: () => {}, error: () => void errors++, lost: (reason) => assert.fail(reason) },
  );
  t.after(() => {
    session.detach();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const each = limits.supervisorStateBytes + 64 + encodeJson({ t: 'state', seq: 10_000, state }).length - 5;
  const burst = limits.supervisorBurstBytes / each;
  const rate = limits.supervisorBytesPerSecond / each;
  /** Until so many are read, and for as long again as all of them would take that are there. */
  const read = async (least: number) => {
    while (states < least) await setImmediate();
    for (let left = states; left > 0; left--) await setImmediate();
    return states;
  };
  // What one read brings along is taken whole: 64 KiB, some 600 states.
  const atOnce = await read(burst * 0.9);
  assert.ok(atOnce < burst + 1000, `${atOnce} states, where ${burst} are a burst`);
  assert.equal(errors, limits.supervisorErrors);
  for (let second = 1; second <= 3; second++) {
    await clock.advance(1000);
    const sofar = await read(burst + rate * (second - 0.2));
    assert.ok(sofar < burst + rate * second + 1000, `${sofar} states after ${second} s, where ${rate} are a second's`);
  }
});
