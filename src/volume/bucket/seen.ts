/** Reads a file that a look has found, and no other that has its name by now. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readlink, type FileHandle } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Place } from './tree.ts';
import type { LocalEntry } from './types.ts';

const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export async function md5Of(place: Place, entry: LocalEntry): Promise<string> {
  const hash = createHash('md5');
  if (entry.type === 'symlink') return hash.update(await readlink(place.path, 'buffer')).digest('hex');
  const file = await openSeen(place, entry);
  try {
    for await (const piece of exactly(file, entry.size)) hash.update(piece);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** Throws Conflict when another file, or a pipe, has the name by now. */
export async function openSeen(place: Place, seen: LocalEntry): Promise<FileHandle> {
  const file = await open(place.path, FILE);
  try {
    const stat = await file.stat({ bigint: true });
    if (stat.isFile() && String(stat.ino) === seen.ino) return file;
    throw new Fault('Conflict', 'another file has the name by now');
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Throws Conflict when the file has become shorter meanwhile. */
export async function* exactly(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  let at = 0;
  while (at < size) {
    const piece = Buffer.allocUnsafe(Math.min(limits.objectReadBytes, size - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) throw new Fault('Conflict', 'the file became shorter while it was read');
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}
