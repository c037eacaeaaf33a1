/** What every transport of the link must do. Run by the tests of each: `linkConformance('unix', make)`. */
import { afterEach, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { ByteStream, ControlConnection, HostConnection, LinkDialer, LinkServer } from '#link/types.ts';

export type LinkUnderTest = { server: LinkServer; dialer: LinkDialer; close(): Promise<void> };

type Pair = { host: HostConnection; control: ControlConnection };
const answerMs = { timeoutMs: 10_000 };

export function linkConformance(kind: string, make: () => Promise<LinkUnderTest>): void {
  describe(`link conformance: ${kind}`, () => {
    let link: LinkUnderTest;
    let pair: Pair;
    beforeEach(async () => {
      link = await make();
      pair = await connect(link);
    });
    afterEach(() => link.close());
    messages(() => pair);
    calls(() => pair);
    streams(() => pair);

    test('closing the server closes its connections and takes no more', async () => {
      const gone = new Promise<string>((resolve) => pair.host.onClose(resolve));
      await link.server.close();
      await gone;
      await assert.rejects(link.dialer.dial(), (e) => isFault(e, 'Unavailable'));
    });
  });
}

async function connect(link: LinkUnderTest): Promise<Pair> {
  const arrived = new Promise<ControlConnection>((resolve) => link.server.onConnection(resolve));
  const host = await link.dialer.dial();
  return { host, control: await arrived };
}

const usage = (tasks: number) => ({ freeMemoryBytes: 1, freeDiskBytes: 1, loadPercent: 0, tasks, sandboxes: [] });

function messages(pair: () => Pair): void {
  test('messages arrive whole and in order, both ways, also those that came before anybody listened', async () => {
    const { host, control } = pair();
    for (let n = 0; n < 100; n++) host.send({ t: 'heartbeat', usage: usage(n) });
    const seen: number[] = [];
    await new Promise<void>((resolve) => {
      control.onMessage((message) => {
        if (message.t === 'heartbeat') seen.push(message.usage.tasks);
        if (seen.length === 100) resolve();
      });
    });
    assert.deepEqual(
      seen,
      Array.from({ length: 100 }, (_, n) => n),
    );
    const names = new Promise((resolve) => host.onMessage(resolve));
    const big = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`näme-${n}`, [`10.0.0.${n}`]]));
    control.send({ t: 'names', revision: 1, names: big });
    assert.deepEqual(await names, { t: 'names', revision: 1, names: big });
  });

  test('a close is told to both sides once, and what was said before it still arrives', async () => {
    const { host, control } = pair();
    const got = new Promise<string>((resolve) => host.onMessage((m) => resolve(m.t)));
    const hostSaw = new Promise<string>((resolve) => host.onClose(resolve));
    let told = 0;
    control.onClose(() => told++);
    control.send({ t: 'forget', taskIds: ['a'] });
    control.close('enough');
    control.close('again');
    assert.equal(await got, 'forget');
    await hostSaw;
    assert.equal(told, 1);
    let late = '';
    control.onClose((reason) => (late = reason));
    assert.equal(late, 'enough');
    control.send({ t: 'forget', taskIds: ['b'] });
  });

  test('a message over the limit is refused to its sender', () => {
    const { host } = pair();
    const event = { container: 'a', source: 'stdout' as const, time: 1, text: 'x'.repeat(limits.frameBytes), end: 1 };
    const key = { account: '1', region: 'r', cluster: 'c', id: 'i' };
    assert.throws(
      () => host.send({ t: 'output', batch: { key, from: 0, to: 1, events: [event] } }),
      (e) => isFault(e, 'ProtocolError'),
    );
  });
}

function calls(pair: () => Pair): void {
  test('calls are answered, both ways and out of order', async () => {
    const { host, control } = pair();
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    host.handle('slow', async (body) => held.then(() => ['slow', body]));
    host.handle('fast', async (body) => ['fast', body]);
    control.handle('up', async () => null);
    const slow = control.request('slow', 1, answerMs);
    assert.deepEqual(await control.request('fast', { a: [2] }, answerMs), ['fast', { a: [2] }]);
    release?.();
    assert.deepEqual(await slow, ['slow', 1]);
    assert.equal(await host.request('up', null, answerMs), null);
  });

  test('a fault crosses with its code and details; an unknown operation is unsupported', async () => {
    const { host, control } = pair();
    host.handle('fail', async () => {
      throw new Fault('CapacityUnavailable', 'full', { details: { free: 3 } });
    });
    await assert.rejects(
      control.request('fail', null, answerMs),
      (e) => isFault(e, 'CapacityUnavailable') && e.message === 'full' && e.details['free'] === 3,
    );
    await assert.rejects(control.request('what', null, answerMs), (e) => isFault(e, 'Unsupported'));
  });

  test('a call without an answer times out, or fails when the connection breaks', async () => {
    const { host, control } = pair();
    const aborted = new Promise<void>((resolve) => {
      host.handle('never', (_body, { signal }) => {
        signal.addEventListener('abort', () => resolve());
        return new Promise(() => {});
      });
    });
    await assert.rejects(control.request('never', null, { timeoutMs: 20 }), (e) => isFault(e, 'TimedOut'));
    const call = control.request('never', null, answerMs);
    control.close('broken');
    await assert.rejects(call, (e) => isFault(e, 'Unavailable'));
    await aborted;
    await assert.rejects(control.request('never', null, answerMs), (e) => isFault(e, 'Unavailable'));
  });
}

async function readAll(stream: ByteStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream.read()) parts.push(part);
  return Buffer.concat(parts);
}

function streams(pair: () => Pair): void {
  test('a stream carries more than its window both ways, while calls go on', async () => {
    const { host, control } = pair();
    host.handle('ping', async () => 'pong');
    host.handle('echo', async (_body, { stream }) => {
      assert.ok(stream !== null);
      for await (const part of stream.read()) await stream.write(part);
      stream.end();
      return 'done';
    });
    const sent = Buffer.alloc(5 * limits.streamWindowBytes + 17, 'berth stream ');
    const stream = control.openStream();
    const answer = control.request('echo', null, { ...answerMs, stream });
    const writing = stream.write(sent).then(() => stream.end());
    const ping = control.request('ping', null, answerMs);
    const got = await readAll(stream);
    await writing;
    assert.equal(await ping, 'pong');
    assert.equal(await answer, 'done');
    assert.ok(got.equals(sent));
  });

  test('a writer waits for its reader', async () => {
    const { host, control } = pair();
    const theirs = Promise.withResolvers<ByteStream>();
    control.handle('take', async (_body, { stream }) => {
      assert.ok(stream !== null);
      theirs.resolve(stream);
      return null;
    });
    const stream = host.openStream();
    const answer = host.request('take', null, { ...answerMs, stream });
    let written = 0;
    const piece = Buffer.alloc(limits.streamWindowBytes / 4);
    const writing = (async () => {
      for (let n = 0; n < 12; n++) {
        await stream.write(piece);
        written++;
      }
      stream.end();
    })();
    const reader = await theirs.promise;
    await answer;
    for (let n = 0; n < 20; n++) await new Promise<void>((resolve) => setImmediate(resolve));
    assert.equal(written, 4);
    assert.equal((await readAll(reader)).length, 12 * piece.length);
    await writing;
  });

  test('an end with an error, a reader that walks away, and a broken connection all wake the other side', async () => {
    const { host, control } = pair();
    const taken: ByteStream[] = [];
    control.handle('take', async (_body, { stream }) => {
      if (stream !== null) taken.push(stream);
      return null;
    });
    const open = async () => {
      const stream = host.openStream();
      await host.request('take', null, { ...answerMs, stream });
      return [stream, taken.at(-1) as ByteStream] as const;
    };
    const [failing, seesFailure] = await open();
    failing.end('the disk is full');
    await assert.rejects(readAll(seesFailure), (e) => isFault(e, 'Unavailable') && e.message === 'the disk is full');

    const [writer, leaves] = await open();
    const writing = writer.write(Buffer.alloc(2 * limits.streamWindowBytes));
    for await (const part of leaves.read()) {
      assert.ok(part.length > 0);
      break;
    }
    await assert.rejects(writing, (e) => isFault(e, 'Unavailable'));

    const [cut, seesCut] = await open();
    const unavailable = (e: unknown) => isFault(e, 'Unavailable');
    const both = Promise.all([
      assert.rejects(cut.write(Buffer.alloc(2 * limits.streamWindowBytes)), unavailable),
      assert.rejects(readAll(seesCut), unavailable),
    ]);
    control.close('broken');
    await both;
  });
}
