/**
 * Records of the log files: u32 length of what follows the checksum, u32 CRC-32 of it, f64 earliest and f64 latest timestamp of the
 * events in it, u32 their count, then a body: JSON, or events (event-records.ts). All integers big-endian. A file is read up to the first
 * record that is torn or false.
 */
import { crc32 } from 'node:zlib';

const PREFIX = 8;
const HEADER = PREFIX + 20;

export type RecordHead = { earliest: number; latest: number; count: number };
export type LogRecord = RecordHead & {
  /** Where the record begins, and where the next one does. */
  start: number;
  end: number;
  payload: Buffer;
  /** Parses a body of JSON; only what is needed is parsed. */
  json(): unknown;
};

export function encodeRecord(head: RecordHead, body: Buffer[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, HEADER);
  const out = Buffer.allocUnsafe(length);
  out.writeUInt32BE(length - PREFIX, 0);
  out.writeDoubleBE(head.earliest, PREFIX);
  out.writeDoubleBE(head.latest, PREFIX + 8);
  out.writeUInt32BE(head.count, PREFIX + 16);
  let at = HEADER;
  for (const part of body) at += part.copy(out, at);
  out.writeUInt32BE(crc32(out.subarray(PREFIX)), 4);
  return out;
}

export function encodeJsonRecord(head: RecordHead, body: unknown): Buffer {
  return encodeRecord(head, [Buffer.from(JSON.stringify(body), 'utf8')]);
}

/** All whole and true records from the beginning on. */
export function* readRecords(data: Buffer): Generator<LogRecord> {
  let start = 0;
  while (start + HEADER <= data.length) {
    const end = start + PREFIX + data.readUInt32BE(start);
    if (end < start + HEADER || end > data.length) return;
    if (crc32(data.subarray(start + PREFIX, end)) !== data.readUInt32BE(start + 4)) return;
    const payload = data.subarray(start + HEADER, end);
    yield {
      start,
      end,
      earliest: data.readDoubleBE(start + PREFIX),
      latest: data.readDoubleBE(start + PREFIX + 8),
      count: data.readUInt32BE(start + PREFIX + 16),
      payload,
      json: () => JSON.parse(payload.toString('utf8')) as unknown,
    };
    start = end;
  }
}
