/** Connections between the control plane and its hosts, whatever carries them. */
import type { Json } from '#base/fault.ts';
import type { Frame } from '#base/frames.ts';
import type { LinkRequest, LinkResponse, StreamMessage, ToControl, ToHost } from './protocol.ts';

export type ChannelEvents = {
  frame(frame: Frame): void;
  /** Nothing waits to be written any more. */
  drained(): void;
  closed(reason: string): void;
};

/** What a transport gives: frames in order, or none at all. */
export type FrameChannel = {
  /** Queues one encoded frame (base/frames.ts). Ignored once closed. */
  send(frame: Buffer): void;
  /** Frames that wait to be written. */
  queued(): number;
  /** Set once, before any frame arrives; frames that came earlier are kept for it. */
  listen(events: ChannelEvents): void;
  close(reason: string): void;
};

/** Messages that the connection itself takes care of. */
type Internal = LinkRequest | LinkResponse | StreamMessage;
export type FromHost = Exclude<ToControl, Internal>;
export type FromControl = Exclude<ToHost, Internal>;

/** Bytes both ways, with back-pressure. */
export type ByteStream = {
  /** Resolves once the bytes are handed to the connection within the peer's credit. Throws Cancelled or Unavailable when the stream is over. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our direction; with an error both. Idempotent. */
  end(error?: string): void;
  /** What the peer writes, until it ends; throws Fault Unavailable when it ends with an error or the connection breaks. For one reader. */
  read(): AsyncIterable<Buffer>;
};

export type RequestContext = {
  /** The caller's stream, when it opened one. It is ended for the handler once the call is answered and neither side uses it. */
  stream: ByteStream | null;
  /** Aborted when the connection breaks before the answer. */
  signal: AbortSignal;
};
export type RequestHandler = (body: Json, context: RequestContext) => Promise<Json>;

/** One side of a connection. `In` is what it receives, `Out` what it sends. */
export type Connection<In, Out> = {
  /** Sends one level-triggered message; lost without a word once the connection is closed. */
  send(message: Out): void;
  /** Set once; messages that came earlier are kept for it. */
  onMessage(fn: (message: In) => void): void;
  /** Called once, also when it is closed already. */
  onClose(fn: (reason: string) => void): void;
  /**
   * Calls the other side. Throws its Fault; Unavailable when the connection breaks, TimedOut after `timeoutMs`. A call is sent once: the
   * other side may have carried it out although it looks failed here.
   */
  request(op: string, body: Json, options: { timeoutMs: number; stream?: ByteStream }): Promise<Json>;
  /** Answers an operation; without a handler the other side gets Fault Unsupported. */
  handle(op: string, handler: RequestHandler): void;
  /** A stream to hand to `request`. */
  openStream(): ByteStream;
  close(reason: string): void;
};
export type HostConnection = Connection<FromControl, FromHost>;
export type ControlConnection = Connection<FromHost, FromControl>;

/** The control plane's end: where hosts knock. */
export type LinkServer = {
  /** Set once; connections that came earlier are kept for it. */
  onConnection(fn: (connection: ControlConnection) => void): void;
  /** Takes no more connections and closes those that are there. */
  close(): Promise<void>;
};

/** A host's way to the control plane. Throws Fault Unavailable when nobody answers. */
export type LinkDialer = { dial(): Promise<HostConnection> };
