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
  let size = 0;
  for (const { message } of events) size += PACKED_HEAD + Buffer.byteLength(message);
  const bytes = Buffer.allocUnsafe(size);
  let earliest = Infinity;
  let latest = -Infinity;
  let head = 0;
  for (const { timestamp, message } of events) {
    const length = bytes.write(message, head + PACKED_HEAD, 'utf8');
    writeTime(bytes, head, timestamp);
    bytes.writeUInt32BE(length, head + 6);
    head += PACKED_HEAD + length;
    if (timestamp < earliest) earliest = timestamp;
    if (timestamp > latest) latest = timestamp;
  }
  return { count: events.length, earliest, latest, bytes };
}

export function packSource(events: readonly { timestamp: number; message: string; end: number }[]): SourceEvents {
  return { ...packEvents(events), ends: Float64Array.from(events, (event) => event.end) };
}

/** u48, in two parts: writeUIntBE takes ten times as long. */
export function writeTime(bytes: Buffer, place: number, at: number): void {
  bytes.writeUInt16BE(Math.floor(at / 0x1_0000_0000), place);
  bytes.writeUInt32BE(at >>> 0, place + 2);
}

/** The other way. */
export function timeAt(bytes: Buffer, place: number): number {
  return bytes.readUInt16BE(place) * 0x1_0000_0000 + bytes.readUInt32BE(place + 2);
}
