/**
 * Frames of the link and of the supervisor's sockets: a 32-bit big-endian length of what follows, one byte of kind, then the payload.
 * Kind 0 is UTF-8 JSON, every other kind is binary and means what the protocol says. A frame over the limit is a broken peer.
 */
import { Fault } from './fault.ts';
import { limits } from './limits.ts';

export const JSON_FRAME = 0;
const HEADER = 5;

export type Frame = { kind: number; payload: Buffer };

/** `payload`: in parts that follow each other. */
export function encodeFrame(kind: number, ...payload: Uint8Array[]): Buffer {
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  if (length + 1 > limits.frameBytes) {
    throw new Fault('ProtocolError', `a frame of ${length} bytes is over the limit of ${limits.frameBytes}`);
  }
  const out = Buffer.allocUnsafe(HEADER + length);
  out.writeUInt32BE(length + 1, 0);
  out[4] = kind;
  let at = HEADER;
  for (const part of payload) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function encodeJson(message: unknown): Buffer {
  return encodeFrame(JSON_FRAME, Buffer.from(JSON.stringify(message)));
}

/**
 * Cuts a byte stream into frames; throws ProtocolError on a length out of bounds. However the peer cuts its bytes, each is copied a few
 * times at most, and what is held is no more than twice what came of one frame.
 */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** Bytes that must be held before there is anything to see. */
  #needed = 0;

  push(chunk: Buffer): Frame[] {
    let data = chunk;
    if (this.#filled > 0) {
      this.#append(chunk);
      if (this.#filled < this.#needed) return [];
      data = this.#held.subarray(0, this.#filled);
      // The frames go on to live in it.
      this.#held = Buffer.alloc(0);
      this.#filled = 0;
    }
    const frames: Frame[] = [];
    this.#needed = HEADER;
    while (data.length >= HEADER) {
      const length = data.readUInt32BE(0);
      if (length < 1 || length > limits.frameBytes) throw new Fault('ProtocolError', `a frame claims ${length} bytes`);
      if (data.length < 4 + length) {
        this.#needed = 4 + length;
        break;
      }
      frames.push({ kind: data[4] ?? 0, payload: data.subarray(HEADER, 4 + length) });
      data = data.subarray(4 + length);
    }
    if (data.length > 0) this.#append(data);
    return frames;
  }

  #append(data: Buffer): void {
    const filled = this.#filled + data.length;
    if (filled > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(filled, Math.min(2 * this.#held.length, this.#needed)));
      this.#held.copy(larger, 0, 0, this.#filled);
      this.#held = larger;
    }
    data.copy(this.#held, this.#filled);
    this.#filled = filled;
  }
}
