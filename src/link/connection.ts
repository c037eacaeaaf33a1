/** A connection on top of any transport: messages, calls with answers, streams. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { FaultCode, Json } from '#base/fault.ts';
import { encodeFrame, encodeJson, JSON_FRAME } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { decodeOutputBatch, decodeOutputRuns, encodeOutputBatch, encodeOutputRuns, OUTPUT_BATCH_FRAME, OUTPUT_RUNS_FRAME } from './output-frame.ts'; // prettier-ignore
import { STREAM_FRAME } from './protocol.ts';
import type { LinkRequest, LinkResponse, StreamMessage, ToControl, ToHost, WireFault } from './protocol.ts';
import { createStreams } from './streams.ts';
import type { Streams } from './streams.ts';
import type { Connection, ControlConnection, FrameChannel, FromControl, FromHost, HostConnection, RequestHandler } from './types.ts';

export function hostConnection(channel: FrameChannel, clock: Clock): HostConnection {
  return createConnection<FromControl, FromHost>(channel, clock, 'host');
}
export function controlConnection(channel: FrameChannel, clock: Clock): ControlConnection {
  return createConnection<FromHost, FromControl>(channel, clock, 'control');
}

type AnyMessage = ToControl | ToHost;

function createConnection<In, Out>(channel: FrameChannel, clock: Clock, side: 'control' | 'host'): Connection<In, Out> {
  let closedBecause: string | null = null;
  let deliver: ((message: In) => void) | null = null;
  const early: In[] = [];
  const closers: ((reason: string) => void)[] = [];

  const sendFrame = (frame: Buffer) => {
    if (closedBecause !== null) return;
    // A peer that does not read must not fill our memory: what was lost is told anew on the next connection.
    if (channel.queued() >= limits.sendQueueFrames) return shut('the peer does not read: its send queue is full');
    channel.send(frame);
  };
  const send = (message: object) => sendFrame(encodeJson(message));
  const streams = createStreams({ frame: sendFrame, message: send, isCrowded: () => channel.queued() >= limits.streamQueueFrames }, side);
  const calls = createCalls(clock, send, streams);
  const shut = (reason: string) => {
    if (closedBecause !== null) return;
    closedBecause = reason;
    channel.close(reason);
    streams.closeAll(reason);
    calls.closeAll(reason);
    for (const closer of closers.splice(0)) closer(reason);
  };

  const receive = (frame: Frame) => {
    if (closedBecause !== null) return;
    if (frame.kind === STREAM_FRAME) return streams.data(frame.payload);
    const message = decode(frame);
    switch (message.t) {
      case 'request':
        return calls.requested(message);
      case 'response':
        return calls.answered(message);
      case 'stream-credit':
      case 'stream-end':
        return streams.message(message);
      default:
        if (deliver === null) early.push(message as In);
        else deliver(message as In);
    }
  };
  channel.listen({
    frame(frame) {
      try {
        receive(frame);
      } catch (error) {
        shut(asFault(error).message);
      }
    },
    drained: streams.drained,
    closed: shut,
  });

  return {
    send: (message) => sendFrame(encode(message as AnyMessage)),
    onMessage(fn) {
      deliver = fn;
      for (const message of early.splice(0)) fn(message);
    },
    onClose(fn) {
      if (closedBecause === null) closers.push(fn);
      else fn(closedBecause);
    },
    request(op, body, options) {
      if (closedBecause !== null) return Promise.reject(new Fault('Unavailable', closedBecause));
      return calls.call(op, body, options);
    },
    handle: (op, handler) => calls.handle(op, handler),
    openStream() {
      if (closedBecause !== null) throw new Fault('Unavailable', closedBecause);
      return streams.open();
    },
    close: shut,
  };
}

type Calls = {
  call: Connection<never, never>['request'];
  handle(op: string, handler: RequestHandler): void;
  requested(message: LinkRequest): void;
  answered(message: LinkResponse): void;
  closeAll(reason: string): void;
};

/** Calls in both directions, matched to their answers by id. */
function createCalls(clock: Clock, send: (message: LinkRequest | LinkResponse | StreamMessage) => void, streams: Streams): Calls {
  const handlers = new Map<string, RequestHandler>();
  const waiting = new Map<number, { resolve(body: Json): void; reject(fault: Fault): void; timer: Timer }>();
  const running = new Set<AbortController>();
  let nextId = 1;
  return {
    call(op, body, options) {
      return new Promise((resolve, reject) => {
        if (waiting.size >= limits.linkCalls) throw new Fault('LimitExceeded', `more than ${limits.linkCalls} calls wait on one link`);
        const id = nextId++;
        const stream = options.stream === undefined ? null : streams.announce(options.stream);
        const timer = clock.after(options.timeoutMs, () => {
          waiting.delete(id);
          reject(new Fault('TimedOut', `${op} got no answer within ${options.timeoutMs} ms`));
        });
        waiting.set(id, { resolve, reject, timer });
        send({ t: 'request', id, op, body, stream });
      });
    },
    handle: (op, handler) => void handlers.set(op, handler),
    requested(message) {
      const refuse = (fault: Fault) => send({ t: 'response', id: message.id, ok: false, fault: encodeFault(fault) });
      const handler = handlers.get(message.op);
      if (handler === undefined) return refuse(new Fault('Unsupported', `this peer does not know the operation ${message.op}`));
      if (running.size >= limits.linkCalls)
        return refuse(new Fault('LimitExceeded', `more than ${limits.linkCalls} calls at once on one link`));
      const stream = message.stream === null ? null : streams.accept(message.stream);
      const abort = new AbortController();
      running.add(abort);
      const answer = async () => {
        try {
          const body = await handler(message.body, { stream, signal: abort.signal });
          send({ t: 'response', id: message.id, ok: true, body });
        } catch (error) {
          const fault = asFault(error);
          refuse(fault);
          stream?.end(fault.message);
        } finally {
          running.delete(abort);
        }
      };
      void answer();
    },
    answered(message) {
      const call = waiting.get(message.id);
      if (call === undefined) return; // it came after its time
      waiting.delete(message.id);
      call.timer.cancel();
      if (message.ok) call.resolve(message.body);
      else call.reject(decodeFault(message.fault));
    },
    closeAll(reason) {
      for (const call of waiting.values()) {
        call.timer.cancel();
        call.reject(new Fault('Unavailable', reason));
      }
      waiting.clear();
      for (const abort of running) abort.abort();
    },
  };
}

export function encodeFault(fault: Fault): WireFault {
  return { code: fault.code, message: fault.message, details: fault.details };
}
export function decodeFault(wire: WireFault): Fault {
  return new Fault(wire.code as FaultCode, wire.message, { details: wire.details });
}

/** Output goes as bytes; a host of a former version sends it as JSON, as all else. */
function encode(message: AnyMessage): Buffer {
  if (message.t !== 'output') return encodeJson(message);
  if (message.batch.runs !== undefined) return encodeFrame(OUTPUT_RUNS_FRAME, ...encodeOutputRuns(message.batch));
  return encodeFrame(OUTPUT_BATCH_FRAME, encodeOutputBatch(message.batch));
}

function decode(frame: Frame): AnyMessage {
  if (frame.kind === OUTPUT_BATCH_FRAME) return { t: 'output', batch: decodeOutputBatch(frame.payload) };
  if (frame.kind === OUTPUT_RUNS_FRAME) return { t: 'output', batch: decodeOutputRuns(frame.payload) };
  if (frame.kind !== JSON_FRAME) throw new Fault('ProtocolError', `a frame of unknown kind ${frame.kind}`);
  return parse(frame.payload);
}

function parse(payload: Buffer): AnyMessage {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch (error) {
    throw new Fault('ProtocolError', 'a frame could not be parsed as JSON', { cause: error });
  }
  if (typeof value === 'object' && value !== null && typeof (value as { t?: unknown }).t === 'string') return value as AnyMessage;
  throw new Fault('ProtocolError', 'a message without a type');
}
