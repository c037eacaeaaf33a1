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
  broken(reason: string): void;
};

function createHalf(id: number, firstCredit: number, carrier: StreamCarrier, remove: () => void): Half {
  let credit = firstCredit;
  let weEnded = false;
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
    weEnded = true;
    theyEnded = true;
    remove();
    wake();
  };

  const stream: ByteStream = {
    async write(bytes) {
      let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      while (rest.length > 0) {
        if (failure !== null) throw failure;
        if (weEnded) throw new Fault('Cancelled', 'the stream was ended');
        const take = Math.min(rest.length, credit, limits.streamFrameBytes);
        if (take === 0) {
          await change();
          continue;
        }
        credit -= take;
        const payload = Buffer.allocUnsafe(ID_BYTES + take);
        payload.writeUInt32BE(id, 0);
        rest.copy(payload, ID_BYTES, 0, take);
        carrier.frame(encodeFrame(STREAM_FRAME, payload));
        rest = rest.subarray(take);
      }
    },
    end(error) {
      if (weEnded) return;
      carrier.message({ t: 'stream-end', stream: id, error: error ?? null });
      if (error !== undefined) return fail(new Fault('Cancelled', error));
      weEnded = true;
      if (theyEnded) remove();
      wake();
    },
    async *read() {
      try {
        for (;;) {
          const chunk = inbox.shift();
          if (chunk !== undefined) {
            yield chunk;
            inboxBytes -= chunk.length;
            if (!theyEnded) carrier.message({ t: 'stream-credit', stream: id, bytes: chunk.length });
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
      if (weEnded) remove();
      wake();
    },
    broken: (reason) => fail(new Fault('Unavailable', reason)),
  };
}
