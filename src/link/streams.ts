/** The byte streams of one connection: credit windows, ends, and the frames they travel in. */
import { Fault } from '#base/fault.ts';
import { encodeFrame } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { STREAM_FRAME } from './protocol.ts';
import type { StreamMessage } from './protocol.ts';
import type { ByteStream } from './types.ts';

/** What streams need of their connection. */
export type StreamCarrier = {
  frame(frame: Buffer): void;
  message(message: StreamMessage): void;
  /** So many frames wait to be written that streams hold theirs back, until `drained`. */
  isCrowded(): boolean;
};

export type Streams = {
  open(): ByteStream;
  /** Lets a stream of ours be written to, once the peer has been told of it; its id. */
  announce(stream: ByteStream): number;
  /** A stream that the peer named in a request. Throws ProtocolError for an id it may not use. */
  accept(id: number): ByteStream;
  /** A STREAM_FRAME's payload. Throws ProtocolError when the peer writes beyond its credit. */
  data(payload: Buffer): void;
  message(message: StreamMessage): void;
  /** Nothing of the connection waits to be written any more. */
  drained(): void;
  /** The connection is gone. */
  closeAll(reason: string): void;
};

const ID_BYTES = 4;

export function createStreams(carrier: StreamCarrier, side: 'control' | 'host'): Streams {
  const streams = new Map<number, Half>();
  const idOf = new WeakMap<ByteStream, number>();
  let nextId = side === 'control' ? 2 : 1;
  const make = (id: number, credit: number): Half => {
    if (streams.size >= limits.linkStreams) throw new Fault('LimitExceeded', `more than ${limits.linkStreams} streams on one link`);
    const half = createHalf(id, credit, carrier, () => streams.delete(id));
    streams.set(id, half);
    idOf.set(half.stream, id);
    return half;
  };
  return {
    open() {
      const id = nextId;
      nextId += 2;
      return make(id, 0).stream;
    },
    announce(stream) {
      const id = idOf.get(stream);
      const half = id === undefined ? undefined : streams.get(id);
      if (id === undefined || half === undefined) throw new Fault('Unavailable', 'the stream is over, or belongs to another connection');
      half.credit(limits.streamWindowBytes);
      return id;
    },
    accept(id) {
      const theirs = side === 'control' ? 1 : 0;
      if (id % 2 !== theirs || streams.has(id)) throw new Fault('ProtocolError', `the peer may not open stream ${id}`);
      return make(id, limits.streamWindowBytes).stream;
    },
    data(payload) {
      if (payload.length < ID_BYTES) throw new Fault('ProtocolError', 'a stream frame without an id');
      streams.get(payload.readUInt32BE(0))?.arrived(payload.subarray(ID_BYTES));
    },
    message(message) {
      const half = streams.get(message.stream);
      if (message.t === 'stream-credit') half?.credit(message.bytes);
      else half?.ended(message.error);
    },
    drained() {
      for (const half of streams.values()) half.flush();
    },
    closeAll(reason) {
      for (const half of streams.values()) half.broken(reason);
      streams.clear();
    },
  };
}

/** Our half of a stream: what we still may write, and what has arrived and was not read yet. */
type Half = {
  stream: ByteStream;
  credit(bytes: number): void;
  arrived(bytes: Buffer): void;
  ended(error: string | null): void;
  flush(): void;
  broken(reason: string): void;
};

type Outbox = {
  put(bytes: Buffer): void;
  /** Once all of it is sent, `then` is called. */
  end(then: () => void): void;
  /** Sends what may be sent; `now`: whether or not the connection is crowded. */
  flush(now?: boolean): void;
  drop(): void;
};

/**
 * What is written in one turn of the event loop goes in one frame, and so does all that comes while the connection is crowded: a command in a container prints
 * line by line, and a frame for each would be most of what travels, and more frames than a connection takes.
 */
function createOutbox(id: number, carrier: StreamCarrier): Outbox {
  const head = Buffer.alloc(ID_BYTES);
  head.writeUInt32BE(id);
  let waiting: Buffer[] = [];
  let bytes = 0;
  let isDue = false;
  let whenSent: (() => void) | null = null;
  const sendAll = () => {
    const all = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
    for (let from = 0; from < all.length; from += limits.streamFrameBytes) {
      const part = all.subarray(from, from + limits.streamFrameBytes);
      carrier.frame(encodeFrame(STREAM_FRAME, head, part));
    }
    waiting = [];
    bytes = 0;
  };
  const flush = (now = false) => {
    if (bytes > 0 && !now && carrier.isCrowded()) return;
    if (bytes > 0) sendAll();
    const then = whenSent;
    whenSent = null;
    then?.();
  };
  return {
    put(given) {
      waiting.push(Buffer.from(given)); // a copy: the caller may use its own again
      bytes += given.length;
      if (bytes >= limits.streamFrameBytes) flush();
      if (isDue || bytes === 0) return;
      isDue = true;
      setImmediate(() => {
        isDue = false;
        flush();
      });
    },
    end(then) {
      whenSent = then;
      flush();
    },
    flush,
    drop() {
      waiting = [];
      bytes = 0;
      whenSent = null;
    },
  };
}

function createHalf(id: number, firstCredit: number, carrier: StreamCarrier, remove: () => void): Half {
  const outbox = createOutbox(id, carrier);
  let credit = firstCredit;
  let weEnded = false;
  let endIsSent = false;
  let theyEnded = false;
  let failure: Fault | null = null;
  const inbox: Buffer[] = [];
  let inboxBytes = 0;
  let wakers: (() => void)[] = [];
  const wake = () => {
    const all = wakers;
    wakers = [];
    for (const waker of all) waker();
  };
  const change = () => new Promise<void>((resolve) => void wakers.push(resolve));
  const fail = (fault: Fault) => {
    failure ??= fault;
    outbox.drop();
    weEnded = true;
    theyEnded = true;
    remove();
    wake();
  };

  let readBytes = 0;
  const grant = (bytes: number) => {
    readBytes += bytes;
    if (theyEnded || readBytes < limits.streamCreditBytes) return;
    carrier.message({ t: 'stream-credit', stream: id, bytes: readBytes });
    readBytes = 0;
  };

  const stream: ByteStream = {
    async write(bytes) {
      let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      while (rest.length > 0) {
        if (failure !== null) throw failure;
        if (weEnded) throw new Fault('Cancelled', 'the stream was ended');
        const take = Math.min(rest.length, credit);
        if (take === 0) {
          await change();
          continue;
        }
        credit -= take;
        outbox.put(rest.subarray(0, take));
        rest = rest.subarray(take);
      }
    },
    end(error) {
      if (weEnded) return;
      if (error !== undefined) {
        outbox.flush(true);
        carrier.message({ t: 'stream-end', stream: id, error });
        return fail(new Fault('Cancelled', error));
      }
      weEnded = true;
      outbox.end(() => {
        carrier.message({ t: 'stream-end', stream: id, error: null });
        endIsSent = true;
        if (theyEnded) remove();
      });
      wake();
    },
    async *read() {
      try {
        for (;;) {
          const chunk = inbox.shift();
          if (chunk !== undefined) {
            yield chunk;
            inboxBytes -= chunk.length;
            grant(chunk.length);
          } else if (failure !== null) throw failure;
          else if (theyEnded) return;
          else await change();
        }
      } finally {
        // A reader that walks away: the writer must not wait for credit for ever.
        if (!theyEnded) stream.end('the reader stopped');
      }
    },
  };
  return {
    stream,
    credit(bytes) {
      credit += Math.max(0, bytes);
      wake();
    },
    arrived(bytes) {
      if (theyEnded) return;
      inboxBytes += bytes.length;
      if (inboxBytes > limits.streamWindowBytes) throw new Fault('ProtocolError', `stream ${id}: the peer wrote more than its credit`);
      inbox.push(bytes);
      wake();
    },
    ended(error) {
      if (error !== null) return fail(new Fault('Unavailable', error));
      theyEnded = true;
      if (endIsSent) remove();
      wake();
    },
    flush: () => outbox.flush(),
    broken: (reason) => fail(new Fault('Unavailable', reason)),
  };
}
