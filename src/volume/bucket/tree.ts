/**
 * A file system's directory as the host agent may touch it: tasks change it at any time, so each directory is opened by its parent's descriptor without
 * following links, and what is looked at, taken away or put there is named below a descriptor.
 */
import { constants, lstatSync, opendirSync, type BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { isPrivate, type PosixMeta } from '#domain/bucket-files.ts';
import type { LocalEntry } from './types.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Names, with their slashes: what is longer can't be a key. */
const NAME_BYTES = 1024;
/** Objects and directories that a file system may show. */
const ENTRIES = 2 * limits.bucketObjects;
/** Entries that are looked at before others of the process have their turn. */
const BATCH = 256;

/** A directory that is open, and a name in it. Closed by its user. */
export type Place = { directory: FileHandle; name: string; path: string };

export const hasCode = (error: unknown, ...codes: string[]) => codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '');

export async function openDirectory(root: string, path: string): Promise<FileHandle> {
  let directory = await open(root, DIRECTORY);
  for (const part of path.split('/').filter((one) => one !== '')) {
    const parent = directory;
    try {
      directory = await open(below(parent, part), DIRECTORY);
    } finally {
      await parent.close();
    }
  }
  return directory;
}

const below = (directory: FileHandle, name: string) => `/proc/self/fd/${directory.fd}/${name}`;

/** `name`: a relative key. Throws ENOENT, ENOTDIR or ELOOP where the directory that it is in is none. */
export async function openPlace(root: string, name: string): Promise<Place> {
  const path = name.endsWith('/') ? name.slice(0, -1) : name;
  const cut = path.lastIndexOf('/');
  const directory = await openDirectory(root, path.slice(0, Math.max(0, cut)));
  const last = path.slice(cut + 1);
  return { directory, name: last, path: below(directory, last) };
}

export async function withPlace<T>(root: string, name: string, act: (place: Place) => Promise<T>): Promise<T> {
  const place = await openPlace(root, name);
  try {
    return await act(place);
  } finally {
    await place.directory.close();
  }
}

export async function lookAt(path: string): Promise<LocalEntry | undefined> {
  try {
    return entryOf(await lstat(path, { bigint: true }));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Tells a directory from another that takes its place; '' where there is none. */
export async function identityOf(path: string): Promise<string> {
  try {
    const { ino, birthtimeNs } = await lstat(path, { bigint: true });
    return `${ino}-${birthtimeNs}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

export function entryOf(stat: BigIntStats): LocalEntry {
  const { ino, size, mtimeNs, ctimeNs, mode, uid, gid } = stat;
  const type = stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'symlink' : stat.isDirectory() ? 'directory' : 'other';
  const body = `${ino}:${size}:${mtimeNs}`;
  const meta: PosixMeta = { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid) };
  return {
    type,
    ino: String(ino),
    body,
    stamp: `${body}:${ctimeNs}`,
    ctimeMs: Number(ctimeNs / 1_000_000n),
    size: Number(size),
    meta,
    mtimeMs: Number(mtimeNs / 1_000_000n),
  };
}

/**
 * Everything that could be an object, by relative key. What can't be one is left out: names that are no UTF-8 or too long, and what only a file system has.
 * `prefixBytes`: what the bucket's keys have before the name. Throws LimitExceeded for more entries than `most`.
 */
export async function scan(root: string, prefixBytes: number, most = ENTRIES): Promise<Map<string, LocalEntry>> {
  const found = new Map<string, LocalEntry>();
  let looked = 0;
  const walk = async (directory: FileHandle, prefix: string): Promise<void> => {
    for (const bytes of namesIn(directory)) {
      if (looked >= most) throw tooMany(most);
      if (++looked % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
      const name = textOf(bytes);
      if (name === undefined || isPrivate(name)) continue;
      if (prefixBytes + Buffer.byteLength(prefix) + bytes.length > NAME_BYTES) continue;
      const entry = entryIn(directory, name);
      if (entry === undefined) continue;
      if (entry.type !== 'directory') {
        found.set(`${prefix}${name}`, entry);
        continue;
      }
      // A directory's key has its slash.
      if (prefixBytes + Buffer.byteLength(prefix) + bytes.length + 1 > NAME_BYTES) continue;
      found.set(`${prefix}${name}/`, entry);
      const child = await open(below(directory, name), DIRECTORY).catch(unlessChanged);
      if (child === undefined) continue;
      try {
        await walk(child, `${prefix}${name}/`);
      } finally {
        await child.close();
      }
    }
  };
  const top = await open(root, DIRECTORY);
  try {
    await walk(top, '');
  } finally {
    await top.close();
  }
  return found;
}

const tooMany = (most: number) =>
  new Fault('LimitExceeded', `the file system has more than ${most} files and directories: the bucket is kept up again once it has fewer`);

/** One by one, since tasks may have made any number of them. */
function* namesIn(directory: FileHandle): Generator<Buffer> {
  // What Node's types don't tell: names come as bytes then.
  const opened = opendirSync(`/proc/self/fd/${directory.fd}`, { encoding: 'buffer' as BufferEncoding, bufferSize: BATCH });
  try {
    for (let one = opened.readSync(); one !== null; one = opened.readSync()) yield one.name as unknown as Buffer;
  } finally {
    opened.closeSync();
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** In place: a turn through other threads for each would take ten times as long. */
function entryIn(directory: FileHandle, name: string): LocalEntry | undefined {
  try {
    return entryOf(lstatSync(below(directory, name), { bigint: true }));
  } catch (error) {
    return unlessChanged(error);
  }
}

/** It went, or is another thing, since it was listed. */
function unlessChanged(error: unknown): undefined {
  if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
  throw error;
}

/** Puts what lies at `staged` there, unless something is there already: false then. */
export async function putNew(staged: string, place: Place): Promise<boolean> {
  try {
    await link(staged, place.path);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
  await rm(staged);
  return true;
}

/** Takes away what is there, to `aside`, and tells what it was; undefined when nothing is there. */
export async function takeAway(place: Place, aside: string): Promise<LocalEntry | undefined> {
  try {
    await rename(place.path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  return await lookAt(aside);
}

/** Into the directory of what lost: `identifier_NAME`. */
export async function putIntoLostFound(root: string, lostFound: string, from: string, identifier: string, name: string): Promise<void> {
  const directory = join(root, lostFound);
  const make = async () => {
    await mkdir(directory, { mode: 0o755 }).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    return await openDirectory(root, lostFound);
  };
  const opened = await make().catch(async (error: unknown) => {
    if (!hasCode(error, 'ENOTDIR', 'ELOOP')) throw error;
    // A task has put another thing there: it stays beside it, under a name that no bucket sees either.
    await rename(directory, `${directory}.${identifier}`);
    return await make();
  });
  try {
    await rename(from, below(opened, cutName(`${identifier}_${name}`)));
  } finally {
    await opened.close();
  }
}

/** As long as a name may be. */
export function cutName(name: string): string {
  let cut = name;
  while (Buffer.byteLength(cut) > 255) cut = [...cut].slice(0, -1).join('');
  return cut;
}
