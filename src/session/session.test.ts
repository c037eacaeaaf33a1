/** A session's protocol against a caller written from the published plugin's source: in and out of turn, lost, refused, slow, gone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { execFrames } from '#base/exec-frames.ts';
import { encodeFrame, FrameReader } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { seededRandom } from '#base/random.ts';
import type { ByteStream } from '#link/types.ts';
import { serveChannel } from './channel.ts';
import type { MessageSocket } from './channel.ts';
import { decodeMessage, encodeMessage, payloadTypes } from './message.ts';
import type { Message } from './message.ts';
import { wordsOf } from './words.ts';

/** The caller's end, and the command's. */
function bed(options: { acknowledges?: boolean; takes?: () => boolean; reads?: () => Promise<void> } = {}) {
  const clock = virtualClock();
  const sent: Message[] = [];
  const typed: { kind: number; payload: Buffer }[] = [];
  let toServer: (data: Buffer, isBinary: boolean) => void = () => {};
  let gone: () => void = () => {};
  const closed: number[] = [];
  const seen = new Set<number>();
  let sequence = 0;
  let wake = () => {};
  const output: Buffer[] = [];
  let ended: string | true | null = null;
  const message = (change: Partial<Message>): Buffer => {
    const head = { type: 'input_stream_data', sequence: 0, flags: 0, id: '00112233-4455-4677-8899-aabbccddeeff', createdMs: clock.now() };
    return encodeMessage({ ...head, payloadType: 0, payload: Buffer.alloc(0), ...change });
  };
  /** What nobody has read yet. */
  const onTheWay: Buffer[] = [];
  let isPaused = false;
  const arrive = (bytes: Buffer) => (isPaused || onTheWay.length > 0 ? void onTheWay.push(bytes) : toServer(bytes, true));
  const socket: MessageSocket = {
    send(data) {
      const got = decodeMessage(data);
      sent.push(got);
      if (got.type !== 'output_stream_data' || options.acknowledges === false) return;
      seen.add(got.sequence);
      const content = { AcknowledgedMessageType: got.type, AcknowledgedMessageId: got.id, AcknowledgedMessageSequenceNumber: got.sequence };
      arrive(message({ type: 'acknowledge', payload: Buffer.from(JSON.stringify(content)) }));
    },
    hasLeft: () => options.takes?.() ?? true,
    pause: () => (isPaused = true),
    resume() {
      isPaused = false;
      setImmediate(() => {
        while (!isPaused && onTheWay.length > 0) toServer(onTheWay.shift()!, true);
      });
    },
    close: (code) => void closed.push(code),
    onMessage: (fn) => (toServer = fn),
    onClose: (fn) => (gone = fn),
  };
  const reader = new FrameReader();
  const stream: ByteStream = {
    async write(bytes) {
      await options.reads?.();
      typed.push(...reader.push(Buffer.from(bytes)));
    },
    end: (error) => void (ended ??= error ?? true),
    async *read() {
      for (;;) {
        const next = output.shift();
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
  const starts: { cols: number; rows: number }[] = [];
  let isFresh = true;
  const ending = new AbortController();
  const session = {
    id: 'ecs-execute-command-1',
    ending: ending.signal,
    target: 'ecs:c_t_r',
    open: (token: string) => token === 'right' && isFresh && !(isFresh = false),
    start: async (tty: { cols: number; rows: number }) => (starts.push(tty), stream),
    recorder: null,
  };
  const done = serveChannel({ clock, random: seededRandom(1), idleMs: limits.execIdleMs }, session, socket);
  return {
    clock,
    sent,
    typed,
    closed,
    starts,
    done,
    settle: () => clock.advance(1),
    ended: () => ended,
    token: (text: string) => toServer(Buffer.from(JSON.stringify({ MessageSchemaVersion: '1.0', TokenValue: text })), false),
    raw: (data: Buffer) => toServer(data, true),
    input: (payloadType: number, payload: Buffer | string, at = sequence++) =>
      arrive(message({ sequence: at, payloadType, payload: Buffer.from(payload) })),
    prints(kind: number, payload: Buffer) {
      output.push(encodeFrame(kind, payload));
      wake();
    },
    hangUp: () => gone(),
    terminate: () => ending.abort(),
    ofType: (type: string, payloadType?: number) =>
      sent.filter((one) => one.type === type && (payloadType === undefined || one.payloadType === payloadType)),
  };
}

async function open(options: Parameters<typeof bed>[0] = {}) {
  const b = bed(options);
  b.token('right');
  await b.settle();
  b.input(payloadTypes.handshakeResponse, '{}');
  await b.settle();
  b.input(payloadTypes.size, '{"cols":100,"rows":30}');
  await b.settle();
  assert.deepEqual(b.starts, [{ cols: 100, rows: 30 }]);
  return b;
}
const exit = Buffer.from([0, 0, 0, 3]);
const typedText = (b: { typed: { kind: number; payload: Buffer }[] }) =>
  b.typed
    .filter((one) => one.kind === execFrames.input)
    .map((one) => one.payload.toString())
    .join('');

describe('a data channel', () => {
  it('shakes hands, starts with the size, carries both ways, and says when it is over', async () => {
    const b = await open();
    assert.deepEqual(
      b.ofType('output_stream_data').map((one) => [one.sequence, one.payloadType, one.flags]),
      [
        [0, 5, 1],
        [1, 7, 0],
      ],
    );
    b.input(payloadTypes.output, 'ls\r');
    b.prints(execFrames.stdout, Buffer.from('a b\r\n'));
    await b.settle();
    assert.equal(typedText(b), 'ls\r');
    assert.deepEqual(
      b.ofType('output_stream_data', payloadTypes.output).map((one) => one.payload.toString()),
      ['a b\r\n'],
    );
    b.prints(execFrames.exit, exit);
    await b.settle();
    await b.done;
    assert.equal(JSON.parse(b.ofType('channel_closed')[0]?.payload.toString() ?? '').Output, '');
    assert.deepEqual(b.closed, [1000]);
  });

  it('takes input in order and once, however it comes, and acknowledges all of it', async () => {
    const b = await open();
    const before = b.ofType('acknowledge').length;
    for (const [at, text] of [
      [4, 'c'],
      [3, 'b'],
      [3, 'b'],
      [2, 'a'],
      [2, 'a'],
      [5, 'd'],
    ] as const)
      b.input(payloadTypes.output, text, at);
    await b.settle();
    assert.equal(typedText(b), 'abcd');
    assert.equal(b.ofType('acknowledge').length - before, 6);
    b.hangUp();
    await b.done;
    assert.notEqual(b.ended(), null);
  });

  it('sends again what is not acknowledged, holds no more than its window, and gives up at last', async () => {
    let takes = true;
    const b = await open({ acknowledges: false, takes: () => takes });
    for (let n = 0; n < 100; n++) b.prints(execFrames.stdout, Buffer.from(`${n}`));
    await b.settle();
    const numbers = () => new Set(b.ofType('output_stream_data').map((one) => one.sequence)).size;
    assert.equal(numbers(), limits.execUnackedMessages);
    const [oldest] = b.ofType('output_stream_data');
    await b.clock.advance(limits.execResendMs * 3);
    // The oldest alone: all of them, over and over, would be in the way of the answer.
    const again = b.ofType('output_stream_data').slice(limits.execUnackedMessages);
    assert.ok(again.length >= 2 && again.every((one) => one.sequence === oldest?.sequence));
    takes = false;
    const before = b.sent.length;
    await b.clock.advance(limits.execLostMs - limits.execResendMs * 10);
    assert.equal(b.sent.length, before, 'nothing is added to what the peer does not take');
    assert.equal(b.ended(), null, 'a terminal may stand still for minutes');
    await b.clock.advance(limits.execResendMs * 10 + limits.execDrainMs);
    await b.done;
    assert.equal(numbers(), limits.execUnackedMessages);
    assert.match(String(b.ended()), /acknowledges nothing/);
  });

  it('reads acknowledgements also where the command takes no input until its output is taken', async () => {
    const reading = Promise.withResolvers<void>();
    const b = await open({ reads: () => reading.promise });
    const [piece, pieces, prints] = ['x'.repeat(1024), 2048, 4 * limits.execUnackedMessages];
    for (let n = 0; n < pieces; n++) b.input(payloadTypes.output, piece);
    await b.settle();
    const taken = () => b.ofType('acknowledge').length;
    assert.ok(taken() < 1024, 'a caller who only types waits');
    for (let n = 0; n < prints; n++) b.prints(execFrames.stdout, Buffer.from(`${n}\n`));
    for (let turn = 0; turn < 50; turn++) await b.settle().then(() => new Promise((resolve) => setImmediate(resolve)));
    assert.equal(b.ofType('output_stream_data', payloadTypes.output).length, prints);
    reading.resolve();
    for (let turn = 0; turn < 50; turn++) await b.settle().then(() => new Promise((resolve) => setImmediate(resolve)));
    assert.equal(typedText(b), piece.repeat(pieces));
  });

  it('refuses a wrong token and what is no message, and starts nothing', async () => {
    const b = bed();
    b.token('wrong');
    await b.settle();
    await b.done;
    assert.deepEqual([b.closed, b.starts], [[1008], []]);
    for (const bytes of [Buffer.alloc(3), Buffer.alloc(200, 1)]) {
      const other = await open();
      other.raw(bytes);
      await other.settle();
      await other.done;
      assert.match(String(other.ended()), /a message of the data channel/);
    }
  });

  it('ends when nobody does anything, when the caller ends it, and when the command is cut off', async () => {
    const idle = await open();
    await idle.clock.advance(limits.execIdleMs - 10_000);
    idle.input(payloadTypes.output, 'x');
    await idle.clock.advance(20_000);
    assert.equal(idle.ended(), null);
    await idle.clock.advance(limits.execIdleMs);
    await idle.done;
    assert.match(idle.ofType('channel_closed')[0]?.payload.toString() ?? '', /timed out due to inactivity/);
    const terminated = await open();
    terminated.input(payloadTypes.flag, Buffer.from([0, 0, 0, 2]));
    await terminated.settle();
    await terminated.done;
    assert.match(String(terminated.ended()), /terminated/);
    const cut = await open();
    cut.prints(execFrames.failed, Buffer.from('the host went away'));
    await cut.settle();
    await cut.done;
    assert.match(cut.ofType('channel_closed')[0]?.payload.toString() ?? '', /cut off: the host went away/);
  });

  it('a caller that sends no token or no handshake is let go', async () => {
    for (const token of [null, 'right']) {
      const b = bed();
      if (token !== null) b.token(token);
      await b.clock.advance(limits.execHandshakeMs + limits.execDrainMs + 1);
      await b.done;
      assert.deepEqual(b.starts, []);
      assert.equal(b.closed.length, 1);
    }
  });
});

describe('the words of a command', () => {
  it('are split as the agent of Session Manager does', () => {
    assert.deepEqual(wordsOf('/bin/sh'), ['/bin/sh']);
    assert.deepEqual(wordsOf(`sh -c "echo 'a b' \\"c\\"" '' d\\ e`), ['sh', '-c', `echo 'a b' "c"`, '', 'd e']);
    assert.throws(() => wordsOf('sh -c "x'), /not closed/);
    assert.throws(() => wordsOf('  '), /not be empty/);
  });
});
