/**
 * The registry's blobs, each once whatever repositories have it: DIR/blobs/ALGORITHM/HEX. A file that is there is whole and synced. That a repository has a blob
 * is a row, written after the file and deleted before it; a file that no row names goes after a while.
 */
import { open, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeDurably } from '#base/durable-file.ts';
import { Fault } from '#base/fault.ts';
import { diskFault, type Room } from './room.ts';

export type Blobs = {
  path(digest: string): string;
  /** A name on the same file system for what is to be taken; gone after a crash. */
  temp(): string;
  /** null when it isn't here. */
  size(digest: string): Promise<number | null>;
  /** Of small ones: manifests, configurations. Throws ResourceNotFound. */
  read(digest: string): Promise<Buffer>;
  /** Sends the bytes from `start` to `end`, which is the first that isn't wanted. `send` is done with a piece once it resolves. */
  send(digest: string, start: number, end: number, send: (piece: Uint8Array) => Promise<void>): Promise<void>;
  /** Keeps bytes that were verified; `named` writes the row that names them. */
  put<T>(digest: string, bytes: Uint8Array, named: () => Promise<T>): Promise<T>;
  /** The same with a file, synced already, that becomes the blob. */
  take<T>(digest: string, path: string, named: () => Promise<T>): Promise<T>;
  /** For one that is here, as a mount from another repository: no collection comes between. Throws ResourceNotFound. */
  keep<T>(digest: string, named: () => Promise<T>): Promise<T>;
  /** Removes what is older than `before` and isn't used. */
  collect(before: number, isUsed: (digest: string) => Promise<boolean>): Promise<{ removed: number; freedBytes: number }>;
};

const PIECE = 512 * 1024;

export async function openBlobs(dir: string, room: Room): Promise<Blobs> {
  const root = join(dir, 'blobs');
  for (const algorithm of ['sha256', 'sha512']) await mkdir(join(root, algorithm), { recursive: true, mode: 0o700 });
  const temp = join(dir, 'tmp');
  await rm(temp, { recursive: true, force: true });
  await mkdir(temp, { mode: 0o700 });
  let serial = 0;
  const tempPath = () => join(temp, String(serial++));
  const turns = new Map<string, Promise<unknown>>();
  const path = (digest: string) => join(root, digest.replace(':', '/'));
  const size = async (digest: string) => (await stat(path(digest)).catch(() => null))?.size ?? null;

  /** Naming a blob and taking it away never overlap. */
  function inTurn<T>(digest: string, fn: () => Promise<T>): Promise<T> {
    const turn = (turns.get(digest) ?? Promise.resolve()).catch(() => undefined).then(fn);
    turns.set(digest, turn);
    const clear = (): void => void (turns.get(digest) === turn && turns.delete(digest));
    turn.then(clear, clear);
    return turn;
  }
  const absent = (digest: string) => new Fault('ResourceNotFound', `there is no blob ${digest}`, { details: { kind: 'blob' } });

  return {
    path,
    temp: tempPath,
    size,
    async read(digest) {
      return await readFile(path(digest)).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'ENOENT' ? absent(digest) : error;
      });
    },
    send: (digest, start, end, send) => sendFile(path(digest), start, end, send),
    put: (digest, bytes, named) =>
      inTurn(digest, async () => {
        if ((await size(digest)) === null) {
          await room.assert(bytes.length);
          await writeDurably(path(digest), bytes, tempPath()).catch((error: unknown) => {
            throw diskFault(error);
          });
        }
        return await named();
      }),
    take: (digest, from, named) =>
      inTurn(digest, async () => {
        if ((await size(digest)) === null) {
          await rename(from, path(digest));
          await syncFolder(join(root, digest.slice(0, digest.indexOf(':'))));
        }
        return await named();
      }),
    keep: (digest, named) =>
      inTurn(digest, async () => {
        if ((await size(digest)) === null) throw absent(digest);
        return await named();
      }),
    async collect(before, isUsed) {
      const total = { removed: 0, freedBytes: 0 };
      for (const algorithm of ['sha256', 'sha512']) {
        for (const hex of await readdir(join(root, algorithm))) {
          const digest = `${algorithm}:${hex}`;
          const freed = await inTurn(digest, () => collectOne(path(digest), before, () => isUsed(digest)));
          if (freed === null) continue;
          total.removed++;
          total.freedBytes += freed;
        }
      }
      return total;
    },
  };
}

async function collectOne(path: string, before: number, isUsed: () => Promise<boolean>): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  if (found === null || found.mtimeMs >= before) return null;
  if (await isUsed()) return null;
  await rm(path, { force: true });
  return found.size;
}

/** Two pieces under way, in two buffers: while one is sent the next is read. Buffers of their own for each piece would keep the collector busy. */
async function sendFile(path: string, start: number, end: number, send: (piece: Uint8Array) => Promise<void>): Promise<void> {
  const file = await open(path, 'r');
  const size = Math.min(PIECE, end - start);
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const;
  const read = async (into: Buffer, at: number): Promise<Buffer> => {
    const wanted = Math.min(size, end - at);
    return wanted <= 0 ? into.subarray(0, 0) : into.subarray(0, (await file.read(into, 0, wanted, at)).bytesRead);
  };
  let next = read(buffers[0], start);
  try {
    for (let at = start, turn = 1; at < end; turn++) {
      const piece = await next;
      if (piece.length === 0) throw new Fault('Unavailable', 'a blob of the registry is shorter than it was');
      at += piece.length;
      next = read(turn % 2 === 0 ? buffers[0] : buffers[1], at);
      await send(piece);
    }
  } finally {
    await next.catch(() => undefined);
    await file.close();
  }
}
