/** One connection to a Unix socket that speaks in frames (base/frames.ts). */
import { connect } from 'node:net';
import { asFault, Fault } from '#base/fault.ts';
import { encodeJson, FrameReader } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';

export type FramedSocket = {
  send(message: object): void;
  pause(): void;
  resume(): void;
  /** Ends the connection; `closed` isn't called for it. */
  close(): void;
};

export type FramedSocketEvents = {
  /** A throw counts as a broken protocol: the connection ends with it. */
  frame(frame: Frame): void;
  /** The peer is gone, or was dropped for `cause`. Called once, and not after `close`. */
  closed(cause: Fault): void;
};

/** `refused`: nobody listens there (ENOENT, ECONNREFUSED), as against a peer that is slow or broken. */
export function isNobodyThere(fault: Fault): boolean {
  return fault.details['refused'] === true;
}

/** Rejects with Fault Unavailable when nobody answers. */
export function connectFramed(path: string, events: FramedSocketEvents): Promise<FramedSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const reader = new FrameReader();
    let open = false;
    let over = false;
    const end = (cause: Fault) => {
      if (over) return;
      over = true;
      socket.destroy();
      if (open) events.closed(cause);
      else reject(cause);
    };
    socket.on('connect', () => {
      open = true;
      resolve({
        send: (message) => void (over || socket.write(encodeJson(message))),
        pause: () => void socket.pause(),
        resume: () => void socket.resume(),
        close: () => {
          over = true;
          socket.destroy();
        },
      });
    });
    socket.on('data', (chunk: Buffer) => {
      if (over) return;
      try {
        for (const frame of reader.push(chunk)) {
          if (over) return;
          events.frame(frame);
        }
      } catch (error) {
        end(asFault(error, 'ProtocolError'));
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const refused = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      end(new Fault('Unavailable', `${path}: ${error.message}`, { details: { refused, errno: error.code ?? null }, cause: error }));
    });
    socket.on('close', () => end(new Fault('Unavailable', `${path}: the connection was closed`)));
  });
}

/** Parses a JSON frame's payload; throws ProtocolError. */
export function parseJsonFrame(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (error) {
    throw new Fault('ProtocolError', 'a JSON frame could not be parsed', { cause: error });
  }
}
