/**
 * Log events packed into bytes, the same over the link and in the segments of the logs, so that what was packed once is only copied on its
 * way to the disk: one behind the other u48 milliseconds since the epoch, u32 length, the text in UTF-8. All integers are big-endian.
 */
import { Fault } from './fault.ts';

export const PACKED_HEAD = 10;

export type PackedEvents = {
  count: number;
  /** Times of the first and the last one; Infinity and -Infinity without any. */
  earliest: number;
  latest: number;
  bytes: Buffer;
};

/** Pieces of a task's output; `ends` are the offsets in its spool after each one, and grow within a batch. */
export type SourceEvents = PackedEvents & { ends: Float64Array };

/** `index` of the event, its time, and where its text lies in the bytes. */
export type EachPacked = (index: number, at: number, start: number, end: number) => void;

/** Walks over all events. Throws ProtocolError where the bytes are not whole events. */
export function walkPacked(bytes: Buffer, each: EachPacked): void {
  let index = 0;
  for (let head = 0; head < bytes.length; index++) {
    const start = head + PACKED_HEAD;
    const end = start <= bytes.length ? start + bytes.readUInt32BE(head + 6) : Infinity;
    if (end > bytes.length) throw new Fault('ProtocolError', `the packed event at ${head} of ${bytes.length} bytes is not whole`);
    each(index, timeAt(bytes, head), start, end);
    head = end;
  }
}

/** Counts and checks what came as bytes. Throws as walkPacked does. */
export function packedOf(bytes: Buffer): PackedEvents {
  let earliest = Infinity;
  let latest = -Infinity;
  let count = 0;
  walkPacked(bytes, (_index, at) => {
    if (at < earliest) earliest = at;
    if (at > latest) latest = at;
    count++;
  });
  return { count, earliest, latest, bytes };
}

export function packEvents(events: readonly { timestamp: number; message: string }[]): PackedEvents {
  const sizes = events.map((event) => Buffer.byteLength(event.message));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + PACKED_HEAD + size, 0));
  let head = 0;
  events.forEach((event, index) => {
    const size = sizes[index] ?? 0;
    writePackedHead(bytes, head, event.timestamp, size);
    bytes.write(event.message, head + PACKED_HEAD, size, 'utf8');
    head += PACKED_HEAD + size;
  });
  return packedOf(bytes);
}

export function packSource(events: readonly { timestamp: number; message: string; end: number }[]): SourceEvents {
  return { ...packEvents(events), ends: Float64Array.from(events, (event) => event.end) };
}

export function writePackedHead(bytes: Buffer, head: number, at: number, textBytes: number): void {
  bytes.writeUIntBE(at, head, 6);
  bytes.writeUInt32BE(textBytes, head + 6);
}

/** Bytes of the texts alone. */
export const textBytesOf = ({ count, bytes }: PackedEvents): number => bytes.length - count * PACKED_HEAD;

/** Time of the event whose head is there. */
export function timeAt(bytes: Buffer, head: number): number {
  return bytes.readUInt16BE(head) * 0x1_0000_0000 + bytes.readUInt32BE(head + 2);
}
