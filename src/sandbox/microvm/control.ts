/**
 * The way to the supervisor in a guest: a virtio-serial port, which QEMU offers as a Unix socket. A connection may end at any byte and the
 * next one begins in the middle of what the guest was sending, so each begins with a mark: eight fixed bytes and eight random ones. The
 * guest answers with the same mark, and only what follows it belongs to this connection. 0xFF never stands in a JSON frame.
 */
import { connect } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { encodeJson, FrameReader, JSON_FRAME } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { oneOf, orNull, record, text } from '#supervisor/check.ts';
import { parseJsonFrame } from '#supervisor/framed-socket.ts';
import type { FramedSocket, FramedSocketEvents } from '#supervisor/framed-socket.ts';

const MARK = Buffer.from([0xff, 0x62, 0x65, 0x72, 0x74, 0x68, 0xff, 0x01]);
const NONCE_BYTES = 8;

/** What a guest says first. `ready`: it has no task yet. */
export type GuestHello = { version: string; phase: 'ready' | 'task'; taskId: string | null };

export type GuestLink = {
  hello: GuestHello;
  alive(): boolean;
  send(message: object): void;
  /** The next message of one of these kinds; `error` messages reject. Only before `hand`. */
  answer(kinds: readonly string[], timeoutMs: number): Promise<{ t: string; [member: string]: unknown }>;
  /** Hands the connection on to a session: what comes from now on is its. */
  hand(events: FramedSocketEvents): FramedSocket;
  close(): void;
};

export type DialOptions = { clock: Clock; random: Random; path: string; timeoutMs?: number };

const checkHello = record({ t: text(), version: text(), phase: oneOf('ready', 'task'), taskId: orNull(text()) });

/**
 * Resolves once the guest has answered the mark. Throws Unavailable (with `details.refused` when no QEMU is there), TimedOut when the guest
 * doesn't answer, ProtocolError when it answers nonsense.
 */
export async function dialGuest(options: DialOptions): Promise<GuestLink> {
  const { clock, path } = options;
  const timeoutMs = options.timeoutMs ?? limits.guestAnswerMs;
  const mark = Buffer.concat([MARK, Buffer.from(options.random.bytes(NONCE_BYTES))]);
  const link = openLink(clock, path, mark);
  const timer = clock.after(timeoutMs, () =>
    link.fail(new Fault('TimedOut', `the guest's supervisor didn't answer within ${timeoutMs} ms`)),
  );
  try {
    await link.connected;
    const hello = checkHello(await link.answer(['guest'], timeoutMs), 'the guest');
    return { ...link, hello };
  } catch (error) {
    link.close();
    throw error;
  } finally {
    timer.cancel();
  }
}

/** Drops bytes up to the mark; throws ProtocolError when it doesn't come. */
export function createMarkFilter(mark: Buffer): (chunk: Buffer) => Buffer {
  let rest: Buffer | null = Buffer.alloc(0);
  let skipped = 0;
  return (chunk) => {
    if (rest === null) return chunk;
    const data = Buffer.concat([rest, chunk]);
    const at = data.indexOf(mark);
    if (at >= 0) {
      rest = null;
      return data.subarray(at + mark.length);
    }
    // A part of the mark may stand at the end.
    const keep = Math.min(data.length, mark.length - 1);
    skipped += data.length - keep;
    if (skipped > limits.guestSkipBytes) throw new Fault('ProtocolError', `the guest sent ${skipped} bytes before it answered the mark`);
    rest = Buffer.from(data.subarray(data.length - keep));
    return Buffer.alloc(0);
  };
}

type Waiting = { kinds: readonly string[]; resolve(message: { t: string }): void; reject(fault: Fault): void };

function openLink(clock: Clock, path: string, mark: Buffer) {
  const socket = connect({ path });
  const filter = createMarkFilter(mark);
  const reader = new FrameReader();
  let early: Frame[] = [];
  let waiting: Waiting | undefined;
  let events: FramedSocketEvents | undefined;
  let over: Fault | undefined;

  const fail = (fault: Fault) => {
    if (over !== undefined) return;
    over = fault;
    socket.destroy();
    waiting?.reject(fault);
    waiting = undefined;
    events?.closed(fault);
  };
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', () => {
      socket.write(mark);
      resolve();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const refused = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      const fault = new Fault('Unavailable', `${path}: ${error.message}`, {
        details: { refused, errno: error.code ?? null },
        cause: error,
      });
      fail(fault);
      reject(fault);
    });
  });
  connected.catch(() => {}); // dialGuest looks at it
  socket.on('close', () => fail(new Fault('Unavailable', `${path}: the connection was closed`)));

  const deliver = () => {
    if (waiting === undefined) return;
    for (let frame = early.shift(); frame !== undefined; frame = early.shift()) {
      if (frame.kind !== JSON_FRAME) continue;
      const message = parseJsonFrame(frame.payload) as { t?: unknown; about?: unknown; message?: unknown } | null;
      const t = typeof message?.t === 'string' ? message.t : '';
      const one = waiting;
      if (t === 'error')
        one.reject(new Fault('Internal', `the guest's supervisor: ${String(message?.message).slice(0, limits.reasonChars)}`));
      else if (one.kinds.includes(t)) one.resolve(message as { t: string });
      else continue;
      waiting = undefined;
      return;
    }
  };
  socket.on('data', (chunk: Buffer) => {
    if (over !== undefined) return;
    try {
      for (const frame of reader.push(filter(chunk))) {
        if (over !== undefined) return;
        if (events !== undefined) events.frame(frame);
        else if (early.push(frame) > limits.guestEarlyFrames) throw new Fault('ProtocolError', 'the guest talks without being asked');
      }
      deliver();
    } catch (error) {
      fail(asFault(error, 'ProtocolError'));
    }
  });

  return {
    connected,
    fail,
    alive: () => over === undefined,
    send: (message: object) => void (over === undefined && socket.write(encodeJson(message))),
    close: () => {
      over ??= new Fault('Unavailable', 'the connection was closed');
      socket.destroy();
    },
    async answer(kinds: readonly string[], timeoutMs: number): Promise<{ t: string; [member: string]: unknown }> {
      if (over !== undefined) throw over;
      return new Promise((resolve, reject) => {
        const timer = clock.after(timeoutMs, () => {
          waiting = undefined;
          reject(new Fault('TimedOut', `the guest's supervisor didn't answer within ${timeoutMs} ms`));
        });
        waiting = { kinds, resolve: (m) => (timer.cancel(), resolve(m)), reject: (f) => (timer.cancel(), reject(f)) };
        deliver();
      });
    },
    hand(taker: FramedSocketEvents): FramedSocket {
      events = taker;
      const frames = early;
      early = [];
      // What came early is told once the taker has its socket.
      queueMicrotask(() => {
        try {
          for (const frame of frames) if (over === undefined) taker.frame(frame);
        } catch (error) {
          fail(asFault(error, 'ProtocolError'));
        }
      });
      return {
        send: (message) => void (over === undefined && socket.write(encodeJson(message))),
        pause: () => void socket.pause(),
        resume: () => void socket.resume(),
        close: () => {
          over ??= new Fault('Unavailable', 'the connection was closed');
          events = undefined;
          socket.destroy();
        },
      };
    },
  };
}
