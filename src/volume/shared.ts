/**
 * `shared`: a directory of a file system that outlives its tasks, under STATE/host/filesystems. A task never gets a path into it, since
 * tasks that share it may change what lies there at any time: the directory is opened part by part without following links, and what was
 * opened is bound to a place outside of any file system, from where the sandbox takes it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rmdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { PosixUser } from '#domain/file-system.ts';
import { efsUtilsError } from '#domain/shared-volume.ts';
import type { SharedPlace, SharedVolume } from '#domain/shared-volume.ts';
import { createDeletedFileSystems } from './deleted.ts';
import { createTurns } from './turns.ts';
import type { OneUser } from './one-user.ts';
import type { VolumeUse } from './volumes.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
type Creation = Extract<SharedPlace, { kind: 'directory' }>['creation'];

export type SharedVolumes = {
  /**
   * The directory to bind, and whom whoever uses it must be made by the sandbox; null: nobody else. Idempotent. Throws ResourceInitialization with
   * AWS's text.
   */
  prepare(
    taskId: string,
    volume: Pick<SharedVolume, 'name' | 'fileSystemId' | 'found'>,
    use: VolumeUse,
    options?: { readOnly: boolean },
  ): Promise<{ path: string; user: PosixUser | null }>;
  /** Of all of a task's. Idempotent, and safe without `prepare`; never touches what is in the file system. */
  release(taskId: string): Promise<void>;
  /** Releases what tasks have that are not among the living. */
  recover(living: readonly string[]): Promise<void>;
  /** The files of a file system that was deleted (deleted.ts). */
  removeFileSystem(id: string): Promise<{ gone: boolean }>;
};

/** `hostDir`: STATE/host. */
export function createSharedVolumes(clock: Clock, hostDir: string, oneUser: OneUser): SharedVolumes {
  const base = join(hostDir, 'filesystems');
  const mountsDir = join(hostDir, 'mounts');
  const mountsOf = (taskId: string) => join(mountsDir, taskId);
  // One after the other, so that two tasks don't make one directory at the same time, nor one while its file system is deleted.
  const turns = createTurns();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => turns('', act);
  const deleted = createDeletedFileSystems(clock, base, inTurn);
  return {
    async prepare(taskId, volume, { kind, usersOf }, { readOnly } = { readOnly: false }) {
      const { found } = volume;
      if (found === undefined) throw refusal(`file system ${volume.fileSystemId} was not looked up`);
      if (found.kind === 'refused') throw refusal(found.reason);
      const place = join(mountsOf(taskId), Buffer.from(volume.name).toString('hex'));
      await mkdir(place, { recursive: true, mode: 0o700 });
      await unmount(place);
      const directory = await inTurn(() => openDirectory(volume.fileSystemId, found));
      try {
        await bind(directory.fd, place);
        if (readOnly)
          await ended(spawn('mount', ['--no-canonicalize', '-o', 'remount,bind,ro', place], { stdio: ['ignore', 'ignore', 'pipe'] }));
      } finally {
        await directory.close();
      }
      const user = found.user ?? null;
      if (user === null || kind === 'microvm') return { path: place, user };
      const users = usersOf(volume.name);
      try {
        await oneUser.mount(taskId, place, user, { kind, users });
        return { path: place, user: null };
      } catch (error) {
        const own = `${user.uid}:${user.gid}`;
        // A bind mount can't change who writes: here it goes only into containers that run as that one.
        if (users.every((one) => one === own)) return { path: place, user };
        const text = `the access point of volume "${volume.name}" enforces the POSIX user ${own}, which this machine can't do for others (${asFault(error).message}): give the containers that mount it "user": "${own}"`;
        throw refusal(text);
      }
    },
    release,
    removeFileSystem: deleted.remove,
    async recover(living) {
      await deleted.recover();
      for (const taskId of await readdir(mountsDir).catch(() => [])) if (!living.includes(taskId)) await release(taskId);
    },
  };

  async function openDirectory(id: string, { path, creation }: Extract<SharedPlace, { kind: 'directory' }>): Promise<FileHandle> {
    if (await deleted.isDeleted(id)) throw refusal(`file system ${id} was deleted`);
    await mkdir(join(base, id), { recursive: true, mode: 0o755 });
    return await openInside(join(base, id), path, creation);
  }

  async function release(taskId: string): Promise<void> {
    const dir = mountsOf(taskId);
    const places = await readdir(dir).catch(() => null);
    if (places === null) return;
    for (const name of places) await unmount(join(dir, name));
    await oneUser.end(taskId, dir);
    // Never recursively: what is still mounted there must not be removed.
    for (const name of places) await rmdir(join(dir, name));
    await rmdir(dir);
  }
}

const refusal = (reason: string) => new Fault('ResourceInitialization', efsUtilsError(reason));

/** Throws when a part is missing (and `creation` null), a link or no directory. */
async function openInside(base: string, path: string, creation: Creation): Promise<FileHandle> {
  let directory = await open(base, DIRECTORY);
  for (const part of path.split('/').filter((one) => one !== '' && one !== '.')) {
    const parent = directory;
    try {
      directory = await openChild(parent, part, creation);
    } catch (error) {
      throw refusal(`mount.nfs4: mounting 127.0.0.1:${path} failed, reason given by server: ${reasonOf(error)}`);
    } finally {
      await parent.close();
    }
  }
  return directory;
}

function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === 'ENOENT') return 'No such file or directory';
  return code === 'ELOOP' || code === 'ENOTDIR' ? 'Not a directory' : `${error instanceof Error ? error.message : error}`;
}

async function openChild(parent: FileHandle, part: string, creation: Creation): Promise<FileHandle> {
  if (part === '..') throw Object.assign(new Error('a path may not lead out of its file system'), { code: 'ENOENT' });
  const here = `/proc/self/fd/${parent.fd}`;
  try {
    return await open(`${here}/${part}`, DIRECTORY);
  } catch (error) {
    if (creation === null || (error as { code?: unknown }).code !== 'ENOENT') throw error;
  }
  // Renamed into place whole, with its owner and mode.
  const temp = `${here}/.berth-new-${process.pid}`;
  await mkdir(temp).catch(() => {});
  const made = await open(temp, DIRECTORY);
  await made.chown(creation.uid, creation.gid);
  await made.chmod(Number.parseInt(creation.permissions, 8));
  await rename(temp, `${here}/${part}`);
  return made;
}

async function bind(fd: number, place: string): Promise<void> {
  // By its descriptor: the path to it may lead elsewhere by now.
  const child = spawn('mount', ['--no-canonicalize', '--bind', '/proc/self/fd/3', place], { stdio: ['ignore', 'ignore', 'pipe', fd] });
  await ended(child);
}

async function unmount(place: string): Promise<void> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const written = place.replaceAll('\\', '\\134').replaceAll(' ', '\\040');
  const times = mounts.split('\n').filter((line) => line.split(' ')[4] === written).length;
  for (let n = 0; n < times; n++) {
    await ended(spawn('umount', ['--no-canonicalize', '--lazy', place], { stdio: ['ignore', 'ignore', 'pipe'] }));
  }
}

async function ended(child: ReturnType<typeof spawn>): Promise<void> {
  const [said, [code]] = await Promise.all([child.stderr === null ? '' : text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw refusal(`${child.spawnfile} exited ${code}: ${said.trim()}`);
}
