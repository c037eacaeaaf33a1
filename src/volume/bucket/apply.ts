/**
 * Does what a plan says, to a file system that tasks change meanwhile and to a bucket that others change. Nothing is overwritten or removed that isn't what
 * the plan saw: a file is taken aside first and looked at there, an object is named with its ETag. What was another thing than thought is left for the next
 * look, or goes to lost and found. What both sides agree on is noted once it is on disk.
 */
import { constants } from 'node:fs';
import { mkdir, open, readdir, readlink, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { defaultMeta, lostFoundName, metadataOf, posixOf, sameMeta, type PosixMeta } from '#domain/bucket-files.ts';
import type { BaseLog } from './base-log.ts';
import type { BucketDoor } from './door.ts';
import { exactly, md5Of, openSeen } from './seen.ts';
import { once, stage } from './stage.ts';
import { cutName, hasCode, lookAt, openDirectory, putIntoLostFound, putNew, takeAway, withPlace, type Place } from './tree.ts';
import type { Action, BaseEntry, LocalEntry, RemoteObject, Version } from './types.ts';

export type ApplyDeps = {
  random: Random;
  door: BucketDoor;
  log: BaseLog;
  /** Throws LimitExceeded when the disk has no room for so much more. */
  assertRoom(bytes: number): Promise<void>;
};
export type ApplyDirs = {
  fileSystemId: string;
  /** The file system itself. */
  root: string;
  /** On the same disk, and out of every task's sight. */
  incoming: string;
};

type Applying = Omit<ApplyDeps, 'assertRoom'> &
  ApplyDirs & {
    note(name: string, entry: BaseEntry | null): void;
    /** Throws LimitExceeded when the disk has no room for so much more beside what is coming in already. */
    withRoom<T>(bytes: number, work: () => Promise<T>): Promise<T>;
  };

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const PARALLEL = 8;
const COMMIT_EVERY = 256;
/** A stamp that no file has: the file goes to the bucket again. */
const UNLIKE = '';

export async function applyPlan(deps: ApplyDeps, dirs: ApplyDirs, actions: readonly Action[]): Promise<void> {
  let notes: [string, BaseEntry | null][] = [];
  let coming = 0;
  const withRoom = async <T>(bytes: number, work: () => Promise<T>): Promise<T> => {
    coming += bytes;
    try {
      await deps.assertRoom(coming);
      return await work();
    } finally {
      coming -= bytes;
    }
  };
  const applying: Applying = { ...deps, ...dirs, withRoom, note: (name, entry) => void notes.push([name, entry]) };
  const commit = async () => {
    const done = notes;
    notes = [];
    for (const parent of new Set(done.map(([name]) => parentOf(name)))) await syncDirectory(dirs.root, parent);
    await deps.log.add(done);
  };
  try {
    for (const batch of batchesOf(actions)) {
      const kind = batch[0]?.do;
      await inParallel(batch, kind === 'import' || kind === 'export' ? PARALLEL : 1, (action) => applyOne(applying, action));
      await commit();
    }
  } finally {
    await commit();
  }
}

/** Of one kind each, since one kind may build on another. */
function batchesOf(actions: readonly Action[]): Action[][] {
  const batches: Action[][] = [];
  for (const action of actions) {
    const last = batches.at(-1);
    if (last !== undefined && last[0]?.do === action.do && last.length < COMMIT_EVERY) last.push(action);
    else batches.push([action]);
  }
  return batches;
}

const parentOf = (name: string) => {
  const path = name.endsWith('/') ? name.slice(0, -1) : name;
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
};

async function inParallel<T>(items: readonly T[], width: number, act: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async () => {
    for (const item of left) await act(item);
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(width, items.length) }, lane));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function syncDirectory(root: string, path: string): Promise<void> {
  try {
    const directory = await openDirectory(root, path);
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    // It went meanwhile.
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
  }
}

/** What the plan saw may be gone by now: then the next plan sees what is there. */
async function applyOne(applying: Applying, action: Action): Promise<void> {
  try {
    await act(applying, action);
  } catch (error) {
    if (isFault(error, 'Conflict') || hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EEXIST', 'ENXIO')) return;
    throw error;
  }
}

function act(applying: Applying, action: Action): Promise<void> {
  switch (action.do) {
    case 'agree':
      return Promise.resolve(applying.note(action.name, action.entry));
    case 'mkdir':
      return makeDirectory(applying, action.name, action.version);
    case 'permit':
      return permit(applying, action.name);
    case 'import':
      return importObject(applying, action.name, action.body);
    case 'meet':
      return meet(applying, action);
    case 'remove':
      return removeFile(applying, action);
    case 'rmdir':
      return removeDirectory(applying, action.name);
    case 'quarantine':
      return quarantine(applying, action.name);
    case 'export':
      return action.name.endsWith('/') ? exportDirectory(applying, action) : exportFile(applying, action);
    case 'delete':
      return deleteObject(applying, action);
  }
}

async function makeDirectory(applying: Applying, name: string, version: Version | null): Promise<void> {
  const { root, note, door } = applying;
  await withPlace(root, name, async (place) => {
    await mkdir(place.path, { mode: 0o755 }).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    const head = version === null ? undefined : await door.head(name);
    const meta = head === undefined ? defaultMeta(true) : posixOf(head.metadata, true).meta;
    await setDirectoryMeta(place, meta);
    const made = await lookAt(place.path);
    if (made?.type === 'directory') note(name, { version: head === undefined ? null : versionOf(head), stamp: '', ino: made.ino, meta });
  });
}

async function permit({ root, note, door }: Applying, name: string): Promise<void> {
  const head = await door.head(name);
  if (head === undefined) return;
  const { meta } = posixOf(head.metadata, true);
  await withPlace(root, name, async (place) => {
    await setDirectoryMeta(place, meta);
    const now = await lookAt(place.path);
    if (now !== undefined) note(name, { version: versionOf(head), stamp: '', ino: now.ino, meta });
  });
}

async function setDirectoryMeta(place: Place, { mode, uid, gid }: PosixMeta): Promise<void> {
  const directory = await open(place.path, DIRECTORY);
  try {
    // In this order: who is given a file may lose its bits.
    await directory.chown(uid, gid);
    await directory.chmod(mode);
  } finally {
    await directory.close();
  }
}

const versionOf = ({ etag, modifiedAt }: Version): Version => ({ etag, modifiedAt });

/** `body`: of what it replaces; null: nothing is there. */
async function importObject(applying: Applying, name: string, body: string | null): Promise<void> {
  const { root, door, incoming, random, note } = applying;
  const found = await door.get(name);
  if (found === undefined) return;
  const { head } = found;
  const staged = join(incoming, `new-${hexId(random, 16)}`);
  try {
    const posix = await applying.withRoom(head.size, () => stage(staged, found));
    await withPlace(root, name, async (place) => {
      if (body !== null && !(await takeAwayIfSame(applying, place, name, body))) return;
      const before = await lookAt(staged);
      if (!(await putNew(staged, place))) return;
      const now = await lookAt(place.path);
      const isOurs = now !== undefined && now.body === before?.body && (posix.type === 'symlink' || sameMeta(now.meta, posix.meta));
      note(name, { version: versionOf(head), stamp: isOurs ? now.stamp : UNLIKE, ino: now?.ino ?? '', meta: posix.meta });
    });
  } finally {
    found.close();
    await rm(staged, { force: true });
  }
}

/** False: something else was there, and is in lost and found now. */
async function takeAwayIfSame(applying: Applying, place: Place, name: string, body: string): Promise<boolean> {
  const { incoming, random } = applying;
  const identifier = hexId(random, 16);
  const aside = join(incoming, cutName(`aside-${identifier}_${place.name}`));
  const taken = await takeAway(place, aside);
  if (taken === undefined) return true;
  if (taken.body === body) {
    await rm(aside);
    return true;
  }
  await toLostFound(applying, aside, identifier, place.name);
  applying.note(name, null);
  return false;
}

async function toLostFound({ root, fileSystemId }: ApplyDirs, from: string, identifier: string, name: string): Promise<void> {
  await putIntoLostFound(root, lostFoundName(fileSystemId), from, identifier, name);
}

async function removeFile(applying: Applying, { name, body }: { name: string; body: string }): Promise<void> {
  await withPlace(applying.root, name, async (place) => {
    if (await takeAwayIfSame(applying, place, name, body)) applying.note(name, null);
  });
}

/** What has something in it stays, and is a directory of the file system's own from now on. */
async function removeDirectory({ root, note }: Applying, name: string): Promise<void> {
  await withPlace(root, name, async (place) => {
    try {
      await rmdir(place.path);
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
    }
    note(name, null);
  });
}

async function quarantine(applying: Applying, name: string): Promise<void> {
  await withPlace(applying.root, name, async (place) => {
    await toLostFound(applying, place.path, hexId(applying.random, 16), place.name);
    applying.note(name, null);
  });
}

/** The same on both sides is no conflict: so it is after a kill between an export and its note. */
async function meet(applying: Applying, { name, stamp, remote }: { name: string; stamp: string; remote: RemoteObject }): Promise<void> {
  const { root, note, door } = applying;
  const agreed = await withPlace(root, name, async (place) => {
    const now = await lookAt(place.path);
    if (now === undefined || now.stamp !== stamp) return 'later';
    if (now.size !== remote.size || (await md5Of(place, now)) !== remote.etag) return 'differs';
    const head = await door.head(name);
    if (head === undefined || head.etag !== remote.etag) return 'later';
    const posix = posixOf(head.metadata, false);
    if (posix.type !== now.type) return 'differs';
    const isSame = now.type === 'symlink' || sameMeta(posix.meta, now.meta);
    note(name, { version: versionOf(head), stamp: isSame ? stamp : UNLIKE, ino: now.ino, meta: now.meta });
    return 'agreed';
  });
  if (agreed !== 'differs') return;
  await quarantine(applying, name);
  await importObject(applying, name, null);
}

async function exportFile(
  applying: Applying,
  { name, stamp, version }: { name: string; stamp: string; version: Version | null },
): Promise<void> {
  await withPlace(applying.root, name, async (place) => {
    const seen = await lookAt(place.path);
    if (seen === undefined || seen.stamp !== stamp) return;
    const replaces = version?.etag ?? null;
    const put = (body: AsyncIterable<Buffer>, type: 'file' | 'symlink') =>
      applying.door.put({ name, metadata: metadataOf(type, seen.meta, seen.mtimeMs), size: seen.size, replaces }, body);
    const made =
      seen.type === 'symlink'
        ? await put(once(await readlink(place.path, 'buffer')), 'symlink')
        : await putFile(place, seen, (body) => put(body, 'file'));
    const now = await lookAt(place.path);
    // What was written meanwhile is in it only in part.
    applying.note(name, { version: made, stamp: now?.stamp === stamp ? stamp : UNLIKE, ino: seen.ino, meta: seen.meta });
  });
}

async function putFile(place: Place, seen: LocalEntry, put: (body: AsyncIterable<Buffer>) => Promise<Version>): Promise<Version> {
  const file = await openSeen(place, seen);
  try {
    // After a loss of power it must not be older than its object.
    await file.sync();
    return await put(exactly(file, seen.size));
  } finally {
    await file.close();
  }
}

async function exportDirectory(applying: Applying, { name, version }: { name: string; version: Version | null }): Promise<void> {
  await withPlace(applying.root, name, async (place) => {
    const seen = await lookAt(place.path);
    if (seen?.type !== 'directory') return;
    const metadata = metadataOf('directory', seen.meta, seen.mtimeMs);
    const made = await applying.door.put({ name, metadata, size: 0, replaces: version?.etag ?? null }, once(Buffer.alloc(0)));
    applying.note(name, { version: made, stamp: '', ino: seen.ino, meta: seen.meta });
  });
}

async function deleteObject(applying: Applying, { name, version }: { name: string; version: Version }): Promise<void> {
  const isBack = await withPlace(applying.root, name, async (place) => {
    const now = await lookAt(place.path);
    return now !== undefined && (now.type === 'directory') === name.endsWith('/');
  }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  });
  if (isBack) return;
  await applying.door.remove(name, version.etag);
  applying.note(name, null);
}

/** What a kill left: files that only came in go, what was taken aside goes to lost and found. */
export async function tidyIncoming(dirs: ApplyDirs): Promise<void> {
  for (const name of await readdir(dirs.incoming)) {
    const aside = /^aside-([0-9a-f]{16})_(.*)$/s.exec(name);
    if (aside === null) await rm(join(dirs.incoming, name), { force: true });
    else await toLostFound(dirs, join(dirs.incoming, name), aside[1] ?? '', aside[2] ?? '');
  }
}
