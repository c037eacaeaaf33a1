/**
 * Runs of a task's output: records as they stand one behind the other in the spool of a lane, the same from the supervisor to the control plane, so
 * that on their way nothing is done for each line but to look at its head. All integers are big-endian: u32 length of what follows, u64 offset of the
 * record in the spool, u64 time in ns since the epoch, u8 index of the container, u8 1 = stdout 2 = stderr, u8 flags (1 = the line goes on in
 * the next record, 2 = bytes were dropped before this record), then the text without its newline.
 */
import { Fault } from './fault.ts';
import { PACKED_HEAD, writeTime, type SourceEvents } from './packed-events.ts';

/** Bytes of a record beside its text. */
export const RECORD_HEAD = 23;
const LENGTH_BYTES = 4;
const CONTINUES = 1;
const DROPPED = 2;
const [OFFSET, TIME, CONTAINER, SOURCE, FLAGS] = [4, 12, 20, 21, 22] as const;

export type OutputRun = {
  bytes: Buffer;
  /** Offsets of the spool: [from, to). */
  from: number;
  to: number;
  count: number;
  /** Each record is a whole line, and nothing is missing before any. */
  isPlain: boolean;
  /** Indexes of the containers that wrote it. */
  containers: number[];
};

/** `head`: where the record begins; its text lies in [head + RECORD_HEAD, end). */
type EachRecord = (head: number, end: number) => void;

/** Walks over all records. Throws ProtocolError where the bytes are not whole records. */
export function walkRun(bytes: Buffer, each: EachRecord): void {
  for (let head = 0; head < bytes.length;) {
    const end = endAt(bytes, head);
    each(head, end);
    head = end;
  }
}

function endAt(bytes: Buffer, head: number): number {
  const end = head + LENGTH_BYTES + (head + RECORD_HEAD <= bytes.length ? bytes.readUInt32BE(head) : Infinity);
  if (end > bytes.length || end < head + RECORD_HEAD)
    throw new Fault('ProtocolError', `the record at ${head} of a run of output is not whole`);
  return end;
}

/** Looks at what a supervisor sent; `containers` bounds the indexes. Throws ProtocolError where it isn't whole records, or not of places that follow each other. */
export function checkRun(bytes: Buffer, containers: number): OutputRun {
  if (bytes.length < RECORD_HEAD) throw new Fault('ProtocolError', `a run of output of ${bytes.length} bytes has no whole record`);
  const from = offsetAt(bytes, 0);
  if (!Number.isSafeInteger(from + bytes.length)) throw new Fault('ProtocolError', `a spool offset of ${from} is out of range`);
  let isPlain = true;
  let count = 0;
  let last = -1;
  const seen: number[] = [];
  for (let head = 0; head < bytes.length; count++) {
    const end = endAt(bytes, head);
    if (offsetAt(bytes, head) !== from + head) throw new Fault('ProtocolError', `a record at ${from + head} says that it is another`);
    const container = bytes[head + CONTAINER] ?? 255;
    if (container !== last) {
      if (container >= containers) throw new Fault('ProtocolError', `output names container ${container} of ${containers}`);
      if (!seen.includes(container)) seen.push(container);
      last = container;
    }
    const source = bytes[head + SOURCE];
    if (source !== 1 && source !== 2) throw new Fault('ProtocolError', `output has source ${source}, which is neither stdout nor stderr`);
    if (bytes[head + FLAGS] !== 0) isPlain = false;
    head = end;
  }
  return { bytes, from, to: from + bytes.length, count, isPlain, containers: seen };
}

/** What of a run lies at and behind `offset`; null: nothing. Throws ProtocolError when no record begins there. */
export function runFrom(run: OutputRun, offset: number, containers: number): OutputRun | null {
  if (run.to <= offset) return null;
  let isThere = false;
  walkRun(run.bytes, (head) => (isThere ||= run.from + head === offset));
  if (!isThere) throw new Fault('ProtocolError', `output at ${run.from} overlaps what was read up to ${offset}`);
  return checkRun(run.bytes.subarray(offset - run.from), containers);
}

export const containerAt = (bytes: Buffer, head: number): number => bytes[head + CONTAINER] ?? 255;
export const sourceAt = (bytes: Buffer, head: number): 'stdout' | 'stderr' => (bytes[head + SOURCE] === 1 ? 'stdout' : 'stderr');
export const isPartial = (bytes: Buffer, head: number): boolean => ((bytes[head + FLAGS] ?? 0) & CONTINUES) !== 0;
export const hasGap = (bytes: Buffer, head: number): boolean => ((bytes[head + FLAGS] ?? 0) & DROPPED) !== 0;
/** Milliseconds since the epoch: of the u64 as two numbers, since a line in BigInts costs more than all else of it. 2^32 ns are 4294 ms and 967296 ns. */
export function timeMsAt(bytes: Buffer, head: number): number {
  const high = bytes.readUInt32BE(head + TIME);
  return high * 4294 + Math.floor((high * 967_296 + bytes.readUInt32BE(head + TIME + 4)) / 1_000_000);
}

function offsetAt(bytes: Buffer, head: number): number {
  return bytes.readUInt32BE(head + OFFSET) * 0x1_0000_0000 + bytes.readUInt32BE(head + OFFSET + 4);
}

/**
 * The records of each container as packed events; what is empty is left out, since CloudWatch Logs takes no empty events. **Takes over `bytes`**: those of
 * a single container are packed in place.
 */
export function packRun(bytes: Buffer): Map<number, SourceEvents> {
  const rooms = new Map<number, Room>();
  walkRun(bytes, (head, end) => {
    if (end === head + RECORD_HEAD) return;
    const container = containerAt(bytes, head);
    const room = rooms.get(container);
    if (room === undefined) rooms.set(container, { count: 1, size: end - head });
    else {
      room.count++;
      room.size += end - head;
    }
  });
  const isAlone = rooms.size === 1;
  return new Map([...rooms].map(([container, room]) => [container, packContainer(bytes, container, room, isAlone)]));
}

type Room = { count: number; size: number };

function packContainer(bytes: Buffer, container: number, room: Room, isAlone: boolean): SourceEvents {
  const out = isAlone ? bytes : Buffer.allocUnsafe(room.size);
  const ends = new Float64Array(room.count);
  let earliest = Infinity;
  let latest = -Infinity;
  let [count, to] = [0, 0];
  walkRun(bytes, (head, end) => {
    const start = head + RECORD_HEAD;
    if (start === end || containerAt(bytes, head) !== container) return;
    const at = timeMsAt(bytes, head);
    ends[count++] = offsetAt(bytes, head) + end - head;
    // In place: what is written lies before what is still to be read.
    if (isAlone) out.copyWithin(to + PACKED_HEAD, start, end);
    else bytes.copy(out, to + PACKED_HEAD, start, end);
    writeTime(out, to, at);
    out.writeUInt32BE(end - start, to + 6);
    to += PACKED_HEAD + end - start;
    if (at < earliest) earliest = at;
    if (at > latest) latest = at;
  });
  return { count, earliest, latest, bytes: out.subarray(0, to), ends };
}
