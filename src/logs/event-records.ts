/**
 * Records of events in a segment. Their body: one byte PACKED, u48 when they arrived, u48 number of the first one in the stream, u48 offset
 * taken of their source, u16 length of its name, the name, then packed events (base/packed-events.ts). A source without a name is none.
 * Berth before this had JSON there, `EventsJson`; such records stay as they are, and are read.
 */
import { PACKED_HEAD, packEvents, type PackedEvents } from '#base/packed-events.ts';
import { encodeRecord, type LogRecord } from './records.ts';

/** i: when it arrived; q: number of its first event; s: source and the offset taken; e: timestamps and messages. */
type EventsJson = { i: number; q: number; s?: [string, number]; e: [number, string][] };

export type EventsBody = {
  ingestedAt: number;
  firstSeq: number;
  source?: [name: string, taken: number] | undefined;
  events: Buffer;
};

const PACKED = 1;
const HEAD = 1 + 6 + 6 + 6 + 2;

export function encodeEvents(events: PackedEvents, { ingestedAt, firstSeq, source }: Omit<EventsBody, 'events'>): Buffer {
  const name = Buffer.from(source?.[0] ?? '');
  const head = Buffer.allocUnsafe(HEAD);
  head[0] = PACKED;
  head.writeUIntBE(ingestedAt, 1, 6);
  head.writeUIntBE(firstSeq, 7, 6);
  head.writeUIntBE(source?.[1] ?? 0, 13, 6);
  head.writeUInt16BE(name.length, 19);
  return encodeRecord(events, [head, name, events.bytes]);
}

export function decodeEvents(record: LogRecord): EventsBody {
  const { payload } = record;
  if (payload[0] !== PACKED) {
    const { i, q, s, e } = record.json() as EventsJson;
    const { bytes } = packEvents(e.map(([timestamp, message]) => ({ timestamp, message })));
    return { ingestedAt: i, firstSeq: q, source: s, events: bytes };
  }
  const begin = HEAD + payload.readUInt16BE(19);
  return {
    ingestedAt: payload.readUIntBE(1, 6),
    firstSeq: payload.readUIntBE(7, 6),
    source: begin === HEAD ? undefined : [payload.toString('utf8', HEAD, begin), payload.readUIntBE(13, 6)],
    events: payload.subarray(begin),
  };
}

/** Bytes of the texts of `count` events. */
export const textBytesIn = (body: EventsBody, count: number): number => body.events.length - count * PACKED_HEAD;
