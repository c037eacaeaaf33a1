/**
 * The files that objects' bytes lie in: written under another name, synced, and then renamed into their place, so that one with its own name is whole. Which of them
 * are in use says the catalog; what isn't (a crash came between) is swept away.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '#base/durable-file.ts';
import { Fault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import type { Piece } from './types.ts';

const BATCH_BYTES = 512 * 1024;
/** More pieces than these are one write each: writev takes 1,024. */
const BATCH_PIECES = 512;

export type Files = {
  /** Reads a body to its end and leaves it on disk. What it throws leaves nothing. The file is nobody's until `keep`. */
  write(body: AsyncIterable<Uint8Array>, onPiece: (bytes: Uint8Array) => void): Promise<Piece>;
  /** It stands in the catalog now, or doesn't and goes. */
  keep(file: string): void;
  /** Removes files, those that are being read after their last reader. */
  drop(files: string[]): Promise<void>;
  /** Bytes `from` to `to` (exclusive). The files stay until it was read or returned, also where they are dropped meanwhile. */
  read(pieces: Piece[], from: number, to: number): AsyncIterable<Buffer>;
  /** Removes what isn't in use. */
  sweep(isUsed: (files: string[]) => Set<string>): Promise<number>;
};

export async function openFiles(deps: { random: Random }, options: { dir: string }): Promise<Files> {
  const incoming = join(options.dir, 'incoming');
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const folders = new Set<string>();
  /** Written, and not yet in the catalog. */
  const fresh = new Set<string>();
  const readers = new Map<string, number>();
  const dropped = new Set<string>();

  const folderOf = (file: string) => join(options.dir, 'data', file.slice(0, 2));
  const pathOf = (file: string) => join(folderOf(file), file);
  const assertRoom = async () => {
    const { bavail, bsize } = await statfs(incoming);
    if (bavail * bsize < limits.objectFreeBytes) throw full();
  };
  const remove = async (file: string) => {
    fresh.delete(file);
    if ((readers.get(file) ?? 0) > 0) return void dropped.add(file);
    await rm(pathOf(file), { force: true });
  };
  const release = (files: string[]) => {
    for (const file of files) {
      const left = (readers.get(file) ?? 1) - 1;
      if (left > 0) readers.set(file, left);
      else readers.delete(file);
      if (left <= 0 && dropped.delete(file)) void rm(pathOf(file), { force: true }).catch(() => {});
    }
  };

  return {
    async write(body, onPiece) {
      const file = hexId(deps.random, 32);
      const temporary = join(incoming, file);
      try {
        await assertRoom();
        const bytes = await receive(temporary, body, onPiece, assertRoom);
        if (!folders.has(folderOf(file))) {
          await mkdir(folderOf(file), { recursive: true, mode: 0o700 });
          await syncFolder(join(options.dir, 'data'));
          folders.add(folderOf(file));
        }
        fresh.add(file);
        await rename(temporary, pathOf(file));
        await syncFolder(folderOf(file));
        return [file, bytes];
      } catch (error) {
        await rm(temporary, { force: true });
        if (fresh.delete(file)) await rm(pathOf(file), { force: true });
        throw diskFault(error);
      }
    },
    keep: (file) => void fresh.delete(file),
    async drop(files) {
      for (const file of files) await remove(file);
    },
    read(pieces, from, to) {
      const wanted = cut(pieces, from, to);
      const files = wanted.map(({ file }) => file);
      for (const file of files) readers.set(file, (readers.get(file) ?? 0) + 1);
      return heldStream(
        wanted.map((part) => ({ ...part, path: pathOf(part.file) })),
        () => release(files),
      );
    },
    async sweep(isUsed) {
      let removed = 0;
      for (const folder of await readdir(join(options.dir, 'data')).catch(() => [])) {
        const files = await readdir(join(options.dir, 'data', folder));
        const used = isUsed(files);
        const lost = files.filter((file) => !used.has(file) && !fresh.has(file) && !readers.has(file));
        for (const file of lost) await remove(file);
        removed += lost.length;
      }
      return removed;
    },
  };
}

async function receive(
  path: string,
  body: AsyncIterable<Uint8Array>,
  onPiece: (bytes: Uint8Array) => void,
  assertRoom: () => Promise<void>,
) {
  const file = await open(path, 'wx', 0o600);
  try {
    let bytes = 0;
    let checked = 0;
    let batch: Uint8Array[] = [];
    let batched = 0;
    const flush = async () => {
      await writeAll(file, batch);
      batch = [];
      batched = 0;
    };
    for await (const piece of body) {
      onPiece(piece);
      batch.push(piece);
      batched += piece.length;
      bytes += piece.length;
      if (batched >= BATCH_BYTES || batch.length >= BATCH_PIECES) await flush();
      if (bytes - checked < limits.objectRoomCheckBytes) continue;
      checked = bytes;
      await assertRoom();
    }
    await flush();
    await file.sync();
    return bytes;
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, pieces: Uint8Array[]): Promise<void> {
  const wanted = pieces.reduce((sum, { length }) => sum + length, 0);
  if (wanted === 0) return;
  const { bytesWritten } = await file.writev(pieces);
  if (bytesWritten === wanted) return;
  // A disk that fills up takes a part.
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  await file.appendFile(rest);
}

type Cut = { file: string; start: number; end: number };

/** Which bytes of which files (`end` exclusive). */
function cut(pieces: Piece[], from: number, to: number): Cut[] {
  const out: Cut[] = [];
  let at = 0;
  for (const [file, bytes] of pieces) {
    const start = Math.max(from - at, 0);
    const end = Math.min(to - at, bytes);
    if (start < end) out.push({ file, start, end });
    at += bytes;
  }
  return out;
}

/** A generator that was never begun runs no `finally`: so the hold is given back by `return` itself. */
function heldStream(parts: (Cut & { path: string })[], release: () => void): AsyncIterable<Buffer> {
  let held = true;
  const done = () => {
    if (held) release();
    held = false;
  };
  return {
    [Symbol.asyncIterator]() {
      const inner = streamOf(parts);
      return {
        async next() {
          try {
            const next = await inner.next();
            if (next.done === true) done();
            return next;
          } catch (error) {
            done();
            throw error;
          }
        },
        async return() {
          await inner.return(undefined).catch(() => {});
          done();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function* streamOf(parts: (Cut & { path: string })[]): AsyncGenerator<Buffer> {
  for (const { path, start, end } of parts) {
    yield* createReadStream(path, { start, end: end - 1, highWaterMark: limits.objectReadBytes }) as AsyncIterable<Buffer>;
  }
}

function diskFault(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT' ? full(error) : error;
}

/** Throws nothing: the caller does. Clients must not try again at once, as they would on a 503. */
export function full(cause?: unknown): Fault {
  return new Fault(
    'Unavailable',
    'The disk that berth keeps objects on is full: nothing of this request was kept. Free some space and try again.',
    {
      details: { errorName: 'InsufficientStorage' },
      cause,
    },
  );
}
