/**
 * Frames of the link and of the supervisor's sockets: a 32-bit big-endian length of what follows, one byte of kind, then the payload.
 * Kind 0 is UTF-8 JSON, every other kind is binary and means what the protocol says. A frame over the limit is a broken peer.
 */
import { Fault } from './fault.ts';
import { limits } from './limits.ts';

export const JSON_FRAME = 0;
const HEADER = 5;

export type Frame = { kind: number; payload: Buffer };

export function encodeFrame(kind: number, payload: Uint8Array): Buffer {
  if (payload.length + 1 > limits.frameBytes) {
    throw new Fault('ProtocolError', `a frame of ${payload.length} bytes is over the limit of ${limits.frameBytes}`);
  }
  const out = Buffer.allocUnsafe(HEADER + payload.length);
  out.writeUInt32BE(payload.length + 1, 0);
  out[4] = kind;
  out.set(payload, HEADER);
  return out;
}

export function encodeJson(message: unknown): Buffer {
  return encodeFrame(JSON_FRAME, Buffer.from(JSON.stringify(message)));
}

/** Cuts a byte stream into frames; throws ProtocolError on a length out of bounds. */
export class FrameReader {
  #parts: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): Frame[] {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    if (this.#length < HEADER) return [];
    let data = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#length);
    const frames: Frame[] = [];
    while (data.length >= HEADER) {
      const length = data.readUInt32BE(0);
      if (length < 1 || length > limits.frameBytes) throw new Fault('ProtocolError', `a frame claims ${length} bytes`);
      if (data.length < 4 + length) break;
      frames.push({ kind: data[4] ?? 0, payload: data.subarray(HEADER, 4 + length) });
      data = data.subarray(4 + length);
    }
    this.#parts = data.length === 0 ? [] : [data];
    this.#length = data.length;
    return frames;
  }
}
