/**
 * The redo log: what was written to the segments since they were last synced, in one file, so that a group commit is one fsync however
 * many streams it touches. After a crash its records are written to their places again; doing so twice changes nothing.
 *
 * What a large commit wrote and synced in its place is only named here, by a record without bytes.
 *
 * A record: u32 length, u32 CRC-32, then u48 stream, u32 segment, u32 position in it, and the bytes that belong there.
 */
import { closeSync, fdatasync, fsyncSync, ftruncateSync, openSync, readFileSync, writevSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';

export type Redo = { stream: number; segment: number; position: number; bytes: Buffer };

const PREFIX = 8;
const HEADER = PREFIX + 14;
const syncData = promisify(fdatasync);

export type RedoLog = {
  size(): number;
  /** Durable when it resolves; when it rejects, nothing of it will be found later. */
  append(records: Redo[]): Promise<void>;
  /** Forgets everything: the caller has synced the segments. */
  clear(): void;
  close(): void;
};

/** Whole records of a redo log that a process left behind; none when the file is not there. */
export function readRedoLog(path: string): Redo[] {
  let data: Buffer;
  try {
    data = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const found: Redo[] = [];
  for (let at = 0; at + HEADER <= data.length;) {
    const end = at + PREFIX + data.readUInt32BE(at);
    if (end < at + HEADER || end > data.length) break;
    if (crc32(data.subarray(at + PREFIX, end)) !== data.readUInt32BE(at + 4)) break;
    found.push({
      stream: data.readUIntBE(at + PREFIX, 6),
      segment: data.readUInt32BE(at + PREFIX + 6),
      position: data.readUInt32BE(at + PREFIX + 10),
      bytes: data.subarray(at + HEADER, end),
    });
    at = end;
  }
  return found;
}

/** Opens an empty redo log: what an old one held must have been written to the segments and synced before. */
export function openRedoLog(path: string): RedoLog {
  const file = openSync(path, 'w', 0o600);
  syncFolder(dirname(path));
  let size = 0;
  return {
    size: () => size,
    async append(records) {
      try {
        const end = writeAll(file, records.flatMap(encode), size);
        await syncData(file);
        size = end;
      } catch (error) {
        ftruncateSync(file, size);
        throw error;
      }
    },
    clear() {
      ftruncateSync(file, 0);
      size = 0;
    },
    close: () => closeSync(file),
  };
}

const BUFFERS_PER_WRITE = 512;

/** Writes from `position` on, without putting the buffers together; gives where they end. */
function writeAll(file: number, buffers: Buffer[], position: number): number {
  let end = position;
  for (let next = 0; next < buffers.length; next += BUFFERS_PER_WRITE) {
    let left = buffers.slice(next, next + BUFFERS_PER_WRITE);
    while (left.length > 0) {
      let written = writevSync(file, left, end);
      end += written;
      left = left.flatMap((buffer) => {
        const skipped = Math.min(written, buffer.length);
        written -= skipped;
        return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
      });
    }
  }
  return end;
}

function encode({ stream, segment, position, bytes }: Redo): Buffer[] {
  const out = Buffer.allocUnsafe(HEADER);
  out.writeUInt32BE(HEADER - PREFIX + bytes.length, 0);
  out.writeUIntBE(stream, PREFIX, 6);
  out.writeUInt32BE(segment, PREFIX + 6);
  out.writeUInt32BE(position, PREFIX + 10);
  out.writeUInt32BE(crc32(bytes, crc32(out.subarray(PREFIX))), 4);
  return [out, bytes];
}

export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
