/** The binary output frame of protocol.ts: one record of a task's spool. */
import { Fault } from '#base/fault.ts';
import { OUTPUT_HEADER_BYTES } from './protocol.ts';

export type SpoolRecord = {
  /** Offset of the record in the spool, and of what follows it. */
  offset: number;
  end: number;
  timeMs: number;
  /** Index into the bundle's containers. */
  container: number;
  source: 'stdout' | 'stderr';
  /** The line goes on in the next record of the same container and source. */
  partial: boolean;
  /** Bytes were dropped before this record. */
  gap: boolean;
  data: Buffer;
};

const TRAILER_BYTES = 4;
const CONTINUES = 1;
const DROPPED = 2;

/** Decodes a frame's payload; `containers` bounds the index. The data is copied, so that no larger buffer is kept alive. */
export function decodeOutput(payload: Buffer, containers: number): SpoolRecord {
  if (payload.length < OUTPUT_HEADER_BYTES)
    throw new Fault('ProtocolError', `an output frame of ${payload.length} bytes has no whole header`);
  const offset = payload.readUInt32BE(0) * 0x1_0000_0000 + payload.readUInt32BE(4);
  const container = payload[16] ?? 255;
  const source = payload[17];
  if (!Number.isSafeInteger(offset + payload.length + TRAILER_BYTES))
    throw new Fault('ProtocolError', `a spool offset of ${offset} is out of range`);
  if (container >= containers) throw new Fault('ProtocolError', `output names container ${container} of ${containers}`);
  if (source !== 1 && source !== 2) throw new Fault('ProtocolError', `output has source ${source}, which is neither stdout nor stderr`);
  const flags = payload[18] ?? 0;
  return {
    offset,
    end: offset + payload.length + TRAILER_BYTES,
    timeMs: timeMsOf(payload),
    container,
    source: source === 1 ? 'stdout' : 'stderr',
    partial: (flags & CONTINUES) !== 0,
    gap: (flags & DROPPED) !== 0,
    data: Buffer.from(payload.subarray(OUTPUT_HEADER_BYTES)),
  };
}

/** u64 nanoseconds: as two numbers, since a line in BigInts costs more than all else of it. Exact to the millisecond. */
function timeMsOf(payload: Buffer): number {
  const high = payload.readUInt32BE(8);
  const low = payload.readUInt32BE(12);
  // 2^32 ns are 4294 ms and 967296 ns.
  return high * 4294 + Math.floor((high * 967_296 + low) / 1_000_000);
}

/** The same the other way; used by the fake supervisor of tests. */
export function encodeOutput(record: Omit<SpoolRecord, 'end'>): Buffer {
  const head = Buffer.alloc(OUTPUT_HEADER_BYTES);
  head.writeBigUInt64BE(BigInt(record.offset), 0);
  head.writeBigUInt64BE(BigInt(record.timeMs) * 1_000_000n, 8);
  head[16] = record.container;
  head[17] = record.source === 'stdout' ? 1 : 2;
  head[18] = (record.partial ? CONTINUES : 0) | (record.gap ? DROPPED : 0);
  return Buffer.concat([head, record.data]);
}
