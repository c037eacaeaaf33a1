/**
 * The segment files of the streams: DIR/<two hex digits>/<stream id>/<number>.seg. A segment begins with a record of the stream's state
 * (so that opening a stream reads its last segment only), then come records of events in order of arrival.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StreamStats } from './catalog.ts';
import type { Redo } from './redo-log.ts';

/** The first record of a segment: what the segments before it say. */
export type StateBody = { v: 1; seq: number; sources: [string, number][]; stats: StreamStats };
export type SegmentFiles = ReturnType<typeof createSegmentFiles>;

const SYNCS_IN_FLIGHT = 4;

export function createSegmentFiles(dir: string) {
  const streamDir = (stream: number) => join(dir, (stream % 256).toString(16).padStart(2, '0'), String(stream));
  const pathOf = (stream: number, no: number) => join(streamDir(stream), `${no}.seg`);
  /** Files and folders that are not yet synced. */
  const unsynced = new Set<string>();

  function openForWrite(path: string): number {
    try {
      return openSync(path, 'r+');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    for (let folder = dirname(path); folder.length >= dir.length; folder = dirname(folder)) unsynced.add(folder);
    return openSync(path, 'w', 0o600);
  }

  async function syncPath(path: string): Promise<void> {
    try {
      await using file = await open(path, 'r');
      await file.sync();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // Deleted since: nothing to keep.
    }
  }

  async function syncPaths(paths: string[]): Promise<void> {
    for (const path of paths) unsynced.delete(path);
    const work = paths.values();
    const worker = async () => {
      for (const path of work) await syncPath(path);
    };
    try {
      await Promise.all(Array.from({ length: SYNCS_IN_FLIGHT }, worker));
    } catch (error) {
      for (const path of paths) unsynced.add(path);
      throw error;
    }
  }

  return {
    /** Numbers of a stream's segments, ascending. */
    numbers(stream: number): number[] {
      // Of a new stream, which each task has: an error that is thrown and caught costs a millisecond.
      if (!existsSync(streamDir(stream))) return [];
      try {
        const names = readdirSync(streamDir(stream));
        return names.map((name) => Number(/^(\d+)\.seg$/.exec(name)?.[1] ?? NaN)).filter((no) => !Number.isNaN(no)).sort((a, b) => a - b); // prettier-ignore
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
    readSync: (stream: number, no: number): Buffer => readFileSync(pathOf(stream, no)),
    /** The bytes from `start` to `end`, as far as there are any; empty when the segment was swept away meanwhile. */
    async read(stream: number, no: number, start: number, end: number): Promise<Buffer> {
      try {
        await using file = await open(pathOf(stream, no), 'r');
        const length = Math.min(end, (await file.stat()).size) - start;
        if (length <= 0) return Buffer.alloc(0);
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(length), 0, length, start);
        return buffer.subarray(0, bytesRead);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
        throw error;
      }
    },
    /** Cuts off what is torn. */
    truncate(stream: number, no: number, size: number): void {
      const file = openSync(pathOf(stream, no), 'r+');
      try {
        ftruncateSync(file, size);
      } finally {
        closeSync(file);
      }
    },
    remove: (stream: number, no: number): void => rmSync(pathOf(stream, no), { force: true }),
    removeStream: (stream: number): void => rmSync(streamDir(stream), { recursive: true, force: true }),
    /** Ids of all streams that have files. */
    *streams(): Generator<number> {
      for (const shard of readdirSync(dir)) for (const name of readdirSync(join(dir, shard))) yield Number(name);
    },
    /** Writes to the page cache, one open file at a time. */
    write(records: Redo[]): void {
      const byFile = Map.groupBy(records, (record) => pathOf(record.stream, record.segment));
      for (const [path, parts] of byFile) {
        const file = openForWrite(path);
        unsynced.add(path);
        try {
          for (const { bytes, position } of parts) {
            for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, position + done);
          }
        } finally {
          closeSync(file);
        }
      }
    },
    /** The same as `sync`, at once: for the recovery, before anything else runs. */
    syncNow(): void {
      for (const path of unsynced) {
        const file = openSync(path, 'r');
        try {
          fsyncSync(file);
        } finally {
          closeSync(file);
        }
      }
      unsynced.clear();
    },
    /** Everything that was written is on disk when it resolves. */
    sync: (): Promise<void> => syncPaths([...unsynced]),
    /** The same for the segments of these records, and for all folders. */
    syncOf(records: Redo[]): Promise<void> {
      const wanted = new Set(records.map((record) => pathOf(record.stream, record.segment)));
      return syncPaths([...unsynced].filter((path) => wanted.has(path) || !path.endsWith('.seg')));
    },
  };
}
