/**
 * One session over one WebSocket, as the session-manager-plugin expects it: OpenDataChannel with the token, the handshake, the command's
 * terminal both ways, channel_closed. A session has one connection: when that ends, so does the command.
 */
import type { Clock, Timer } from '#base/clock.ts';
import { execFrames } from '#base/exec-frames.ts';
import { asFault, Fault } from '#base/fault.ts';
import { encodeFrame, FrameReader } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import type { ByteStream } from '#link/types.ts';
import { payloadTypes } from './message.ts';
import { createSequence } from './sequence.ts';
import type { Recorder } from './recorder.ts';

/** A WebSocket's end. */
export type MessageSocket = {
  send(data: Buffer): void;
  /** Whether all that was sent is in the kernel's hands. */
  hasLeft(): boolean;
  /** Stops and starts what comes from the peer. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  onMessage(fn: (data: Buffer, isBinary: boolean) => void): void;
  onClose(fn: () => void): void;
};

export type ChannelSession = {
  id: string;
  target: string;
  /** Whether the caller may have the session: true once. */
  open(token: string): boolean;
  /** Aborted when it is to end. */
  ending: AbortSignal;
  /** Starts the command with a terminal; its stream carries frames of base/exec-frames.ts. */
  start(tty: { cols: number; rows: number }): Promise<ByteStream>;
  recorder: Recorder | null;
};

const AGENT_VERSION = '3.3.2299.0';
const TERMINATE = 2;
/** The plugin tells its terminal's size right after the handshake; one that has none is taken for this. */
const DEFAULT_SIZE = { cols: 80, rows: 24 };
const SIZE_WAIT_MS = 200;

/** `idleMs`: after which silence a session ends. */
export type ChannelDeps = { clock: Clock; random: Random; idleMs: number };

/** Resolves when the session is over and the socket closed. */
export async function serveChannel(deps: ChannelDeps, session: ChannelSession, socket: MessageSocket): Promise<void> {
  const channel = createChannel(deps, session, socket);
  try {
    await channel.handshake();
    const reason = await channel.run();
    await channel.end(reason);
  } catch (error) {
    await channel.end(asFault(error).message);
  } finally {
    channel.close();
    await session.recorder?.close();
  }
}

function createChannel({ clock, random, idleMs }: ChannelDeps, session: ChannelSession, socket: MessageSocket) {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {}); // whoever waits for something waits for this too
  const opened = Promise.withResolvers<void>();
  const shaken = Promise.withResolvers<void>();
  const sized = Promise.withResolvers<void>();
  let size = DEFAULT_SIZE;
  let isOpen = false;
  let isClosed = false;
  let lastActivity = clock.now();
  let stream: ByteStream | null = null;
  let toStream = Promise.resolve();
  let waitingBytes = 0;
  const timers: Timer[] = [];
  const fail = (fault: Fault) => over.reject(fault);
  const terminated = () => fail(new Fault('Cancelled', 'The session was terminated.'));
  session.ending.addEventListener('abort', terminated, { once: true });

  /** While the command takes no more input none is read; but where its output waits to be acknowledged it may be that which keeps it from reading. */
  const steer = () => {
    if (waitingBytes > limits.execHeldInputBytes) {
      const held = `${limits.execHeldInputBytes / 1024 ** 2} MiB`;
      fail(new Fault('LimitExceeded', `The command has not read the last ${held} of its input, and prints more than is taken.`));
    } else if (waitingBytes > limits.execInputBytes && !sequence.isFull()) socket.pause();
    else socket.resume();
  };
  const forward = (kind: number, payload: Buffer) => {
    const to = stream;
    if (to === null) return;
    waitingBytes += payload.length;
    steer();
    toStream = toStream.then(async () => {
      await to.write(encodeFrame(kind, payload));
      waitingBytes -= payload.length;
      steer();
    });
    toStream.catch((error: unknown) => fail(asFault(error)));
  };
  const input = (payloadType: number, payload: Buffer) => {
    lastActivity = clock.now();
    if (payloadType === payloadTypes.handshakeResponse) shaken.resolve();
    else if (payloadType === payloadTypes.output) forward(execFrames.input, Buffer.from(payload));
    else if (payloadType === payloadTypes.size) {
      size = sizeOf(payload);
      sized.resolve();
      forward(execFrames.resize, Buffer.from(JSON.stringify(size)));
    } else if (payloadType === payloadTypes.flag && payload.length >= 4 && payload.readUInt32BE(0) === TERMINATE) {
      terminated();
    }
  };
  const lost = () => fail(new Fault('TimedOut', 'The caller acknowledges nothing any more.'));
  const sequence = createSequence({
    clock,
    random,
    send: (bytes) => socket.send(bytes),
    hasLeft: () => socket.hasLeft(),
    input,
    lost,
    turned: () => steer(),
  });

  socket.onMessage((data, isBinary) => {
    try {
      if (isOpen && isBinary) return sequence.receive(data);
      if (isOpen) return; // a token again: nothing comes of it
      if (isBinary || !session.open(tokenOf(data))) throw new Fault('AccessDenied', 'The token is not valid for this session.');
      isOpen = true;
      opened.resolve();
    } catch (error) {
      fail(asFault(error, 'ProtocolError'));
    }
  });
  socket.onClose(() => {
    isClosed = true;
    fail(new Fault('Cancelled', 'The connection was closed.'));
  });

  const within = <T>(ms: number, promise: Promise<T>, what: string): Promise<T> => {
    timers.push(clock.after(ms, () => fail(new Fault('TimedOut', what))));
    return Promise.race([promise, over.promise]).finally(() => timers.splice(0).forEach((timer) => timer.cancel()));
  };
  const output = async (data: Buffer) => {
    lastActivity = clock.now();
    session.recorder?.output(data);
    for (let from = 0; from < data.length; from += limits.execOutputBytes) {
      await sequence.output(payloadTypes.output, data.subarray(from, from + limits.execOutputBytes));
    }
  };
  const watchIdle = () => {
    const left = lastActivity + idleMs - clock.now();
    if (left <= 0) return fail(new Fault('TimedOut', 'Your session timed out due to inactivity.'));
    timers.push(clock.after(left, watchIdle));
  };

  return {
    async handshake() {
      await within(limits.execHandshakeMs, opened.promise, 'The caller sent no token in time.');
      const begun = clock.now();
      const action = { ActionType: 'SessionType', ActionParameters: { SessionType: 'InteractiveCommands', Properties: {} } };
      const request = { AgentVersion: AGENT_VERSION, RequestedClientActions: [action] };
      await sequence.output(payloadTypes.handshakeRequest, Buffer.from(JSON.stringify(request)));
      await within(limits.execHandshakeMs, shaken.promise, 'The caller did not answer the handshake in time.');
      const complete = { HandshakeTimeToComplete: (clock.now() - begun) * 1_000_000, CustomerMessage: '' };
      await sequence.output(payloadTypes.handshakeComplete, Buffer.from(JSON.stringify(complete)));
      timers.push(clock.after(SIZE_WAIT_MS, () => sized.resolve()));
      await Promise.race([sized.promise, over.promise]);
    },
    /** The command from its start to its end; why it ended where that wasn't by itself. */
    async run(): Promise<string> {
      stream = await session.start(size);
      forward(execFrames.resize, Buffer.from(JSON.stringify(size)));
      watchIdle();
      return await Promise.race([pump(stream, output), over.promise]);
    },
    /** Tells the caller, who then prints `reason`, or that the session is over where it is empty. */
    async end(reason: string) {
      stream?.end(reason === '' ? undefined : reason);
      if (isClosed) return;
      if (!isOpen) return socket.close(1008, reason.slice(0, 100));
      const late = Promise.withResolvers<void>();
      timers.push(clock.after(limits.execDrainMs, () => late.resolve()));
      await Promise.race([sequence.drained(), late.promise, over.promise.catch(() => {})]);
      sequence.tell('channel_closed', closedPayload(session, reason, clock.now()));
      socket.close(1000, '');
    },
    close() {
      isClosed = true;
      session.ending.removeEventListener('abort', terminated);
      sequence.close();
      for (const timer of timers) timer.cancel();
    },
  };
}

/** Hands on what the command writes. Gives why it was cut off, '' when it ended. */
async function pump(stream: ByteStream, output: (data: Buffer) => Promise<void>): Promise<string> {
  const reader = new FrameReader();
  for await (const chunk of untilBroken(stream)) {
    if (chunk instanceof Fault) return `The command was cut off: ${chunk.message}.`;
    const frames = reader.push(chunk);
    const last = frames.findIndex(({ kind }) => kind === execFrames.exit || kind === execFrames.failed);
    // In one: a message for each line, which the caller acknowledges, would be slower than most terminals.
    const text = Buffer.concat((last < 0 ? frames : frames.slice(0, last)).map(({ payload }) => payload));
    if (text.length > 0) await output(text);
    const end = frames[last];
    if (end?.kind === execFrames.exit) return '';
    if (end !== undefined) return `The command was cut off: ${end.payload.toString()}.`;
  }
  return 'The command was cut off.';
}

/** With its host's link a stream ends in a fault, which is the last that comes. */
async function* untilBroken(stream: ByteStream): AsyncGenerator<Buffer | Fault> {
  try {
    yield* stream.read();
  } catch (error) {
    yield asFault(error);
  }
}

function closedPayload(session: ChannelSession, reason: string, now: number): Buffer {
  const content = {
    MessageId: '',
    CreatedDate: String(now),
    DestinationId: session.target,
    SessionId: session.id,
    MessageType: 'channel_closed',
    SchemaVersion: 1,
    Output: reason,
  };
  return Buffer.from(JSON.stringify(content));
}

function tokenOf(data: Buffer): string {
  const { TokenValue: token } = JSON.parse(data.toString()) as { TokenValue?: unknown };
  return typeof token === 'string' ? token : '';
}

/** Throws ProtocolError for what is no size of a terminal. */
function sizeOf(payload: Buffer): { cols: number; rows: number } {
  const { cols, rows } = JSON.parse(payload.toString()) as { cols?: unknown; rows?: unknown };
  const side = (n: unknown) => (typeof n === 'number' && Number.isInteger(n) && n >= 0 ? Math.min(n, 0xffff) : -1);
  const size = { cols: side(cols), rows: side(rows) };
  if (size.cols < 0 || size.rows < 0) throw new Fault('ProtocolError', `not the size of a terminal: ${payload.toString().slice(0, 100)}`);
  return size;
}
