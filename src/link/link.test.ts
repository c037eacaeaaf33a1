import { test } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock, virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { encodeFrame, FrameReader } from '#base/frames.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import { linkConformance } from '../../test/conformance/link.ts';
import { keepConnected } from './client.ts';
import type { Hello } from './client.ts';
import { memoryNetwork } from './memory.ts';
import { STREAM_FRAME } from './protocol.ts';
import type { ControlConnection, FromControl } from './types.ts';
import { listenUnix, unixDialer } from './unix.ts';
import { negotiateVersion } from './versions.ts';

const clock = realClock();

linkConformance('memory', async () => {
  const network = memoryNetwork(clock);
  const server = network.listen();
  return { server, dialer: network.dialer(), close: () => server.close() };
});

linkConformance('memory with delays', async () => {
  const faults = { lose: 0, repeat: 0, delayMinMs: 1, delayMaxMs: 1 };
  const network = memoryNetwork(clock, { random: seededRandom(1), faults: () => faults });
  const server = network.listen();
  return { server, dialer: network.dialer(), close: () => server.close() };
});

linkConformance('unix', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-link-'));
  const server = await listenUnix(join(dir, 'link.sock'), clock, { mode: 0o600 });
  return {
    server,
    dialer: unixDialer(join(dir, 'link.sock'), clock),
    async close() {
      await server.close();
      await rm(dir, { recursive: true });
    },
  };
});

async function withSocket(fn: (path: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-link-'));
  try {
    await fn(join(dir, 'link.sock'));
  } finally {
    await rm(dir, { recursive: true });
  }
}

test('a socket file that nobody listens on is replaced, one that is in use is not', () =>
  withSocket(async (path) => {
    await writeFile(path, '');
    const server = await listenUnix(path, clock, { mode: 0o660 });
    try {
      assert.equal((await stat(path)).mode & 0o777, 0o660);
      await assert.rejects(listenUnix(path, clock, { mode: 0o660 }), (e) => isFault(e, 'Unavailable'));
    } finally {
      await server.close();
    }
  }));

test('a peer that breaks the protocol is cut off, and nobody else', () =>
  withSocket(async (path) => {
    const server = await listenUnix(path, clock, { mode: 0o600 });
    const closed: string[] = [];
    server.onConnection((connection) => connection.onClose((reason) => closed.push(reason)));
    try {
      for (const bytes of [
        Buffer.from([255, 255, 255, 255, 0]),
        encodeFrame(0, Buffer.from('{no json')),
        encodeFrame(9, Buffer.alloc(1)),
      ]) {
        const socket = connect({ path });
        const over = new Promise<void>((resolve) => void socket.on('close', () => resolve()));
        socket.on('error', () => {});
        socket.resume();
        socket.write(bytes);
        await over;
      }
      assert.equal(closed.length, 3);
    } finally {
      await server.close();
    }
  }));

test('streams that are written to line by line, while the peer reads nothing, are whole once it does, and the connection stays', () =>
  withSocket(async (path) => {
    const server = await listenUnix(path, clock, { mode: 0o600 });
    const [lines, count] = [16_000, 8];
    const line = (n: number) => `${String(n).padStart(7, '0')}\n`;
    try {
      const opened = new Promise<ControlConnection>((resolve) => server.onConnection(resolve));
      const socket = connect({ path });
      const connection = await opened;
      const closed: string[] = [];
      connection.onClose((reason) => closed.push(reason));
      const streams = Array.from({ length: count }, () => {
        const stream = connection.openStream();
        connection.request('take', null, { timeoutMs: 60_000, stream }).catch(() => {}); // nobody answers: only what is written matters
        return stream;
      });
      for (let n = 0; n < lines; n++) {
        await Promise.all(streams.map((stream) => stream.write(Buffer.from(line(n)))));
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      streams.forEach((stream) => stream.end());
      const { texts, frames } = await readStreams(socket, count);
      assert.deepEqual(closed, []);
      const whole = Array.from({ length: lines }, (_, n) => line(n)).join('');
      for (const text of texts) assert.ok(text === whole, `${text.length} bytes of ${whole.length}`);
      assert.ok(frames < (lines * count) / 10, `${frames} frames`);
      socket.destroy();
    } finally {
      await server.close();
    }
  }));

/** What each of so many streams says until its end, and in how many frames. */
async function readStreams(socket: Socket, count: number): Promise<{ texts: string[]; frames: number }> {
  const parts = new Map<number, Buffer[]>();
  let [frames, ends] = [0, 0];
  const reader = new FrameReader();
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    for (const { kind, payload } of reader.push(chunk)) {
      if (kind !== STREAM_FRAME) {
        ends += (JSON.parse(payload.toString()) as { t: string }).t === 'stream-end' ? 1 : 0;
        continue;
      }
      frames++;
      const id = payload.readUInt32BE(0);
      parts.set(id, [...(parts.get(id) ?? []), Buffer.from(payload.subarray(4))]);
    }
    if (ends === count) break;
  }
  return { texts: [...parts.values()].map((all) => Buffer.concat(all).toString()), frames };
}

test('peers speak the highest version both have, and say which side is too old when there is none', () => {
  assert.equal(negotiateVersion({ min: 1, max: 2 }, { min: 1, max: 2 }), 2);
  assert.equal(negotiateVersion({ min: 1, max: 2 }, { min: 2, max: 3 }), 2);
  assert.equal(negotiateVersion({ min: 2, max: 3 }, { min: 1, max: 2 }), 2);
  const refused = (text: RegExp) => (e: unknown) => isFault(e, 'Unsupported') && text.test(e.message);
  assert.throws(() => negotiateVersion({ min: 3, max: 4 }, { min: 1, max: 2 }), refused(/update the host$/));
  assert.throws(() => negotiateVersion({ min: 1, max: 1 }, { min: 2, max: 3 }), refused(/update the control plane$/));
});

test('a host greets, is welcomed, and comes back after the connection broke', async () => {
  const time = virtualClock();
  const network = memoryNetwork(time);
  const seen: string[] = [];
  let control: ControlConnection | undefined;
  const serve = () => {
    const server = network.listen();
    server.onConnection((connection) => {
      control = connection;
      connection.onMessage((message) => {
        seen.push(message.t);
        if (message.t === 'hello') connection.send({ t: 'welcome', version: 1, fence: 1, heartbeatMs: 1000 });
      });
    });
    return server;
  };
  const messages: FromControl[] = [];
  const client = keepConnected(
    { dialer: network.dialer(), clock: time, random: seededRandom(1), log: silentLog },
    {
      hello: () => ({ t: 'hello', versions: { min: 1, max: 1 }, hostId: 'h' }) as Hello,
      up: () => seen.push('up'),
      message: (message) => messages.push(message),
      down: () => seen.push('down'),
    },
  );
  await time.advance(3000); // nobody listens yet
  assert.deepEqual(seen, []);
  const first = serve();
  await time.advance(3000);
  assert.deepEqual(seen, ['hello', 'up']);
  control?.send({ t: 'forget', taskIds: [] });
  await time.advance(1);
  assert.equal(messages.length, 1);
  await first.close();
  await time.advance(1);
  assert.deepEqual(seen.splice(0), ['hello', 'up', 'down']);
  assert.equal(client.current(), null);
  const second = serve();
  await time.advance(3000);
  assert.deepEqual(seen, ['hello', 'up']);
  client.stop();
  await time.advance(10_000);
  assert.deepEqual(seen, ['hello', 'up', 'down']);
  await second.close();
});

test('a lossy network loses and repeats about as often as it was told, by its seed', async () => {
  const run = async () => {
    const time = virtualClock();
    const faults = { lose: 0.2, repeat: 0.1, delayMinMs: 0, delayMaxMs: 50 };
    const network = memoryNetwork(time, { random: seededRandom(7), faults: () => faults });
    const server = network.listen();
    const got: number[] = [];
    server.onConnection((c) => c.onMessage((m) => m.t === 'heartbeat' && got.push(m.usage.tasks)));
    const host = await network.dialer().dial();
    for (let tasks = 0; tasks < 1000; tasks++) {
      host.send({ t: 'heartbeat', usage: { freeMemoryBytes: 0, freeDiskBytes: 0, loadPercent: 0, tasks, sandboxes: [] } });
    }
    await time.advance(100);
    await server.close();
    return got;
  };
  const got = await run();
  assert.ok(got.length > 800 && got.length < 960, `${got.length} arrived`);
  assert.notDeepEqual(
    got,
    [...got].sort((a, b) => a - b),
  );
  assert.deepEqual(await run(), got);
});
