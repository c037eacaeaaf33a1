/**
 * Where a host keeps its volumes and snapshots: DIR/volumes/ID and DIR/snapshots/ID, each with the sparse file `image` and `meta.json`. Both
 * come into being whole, by a rename. Beside a volume's image are `mnt`, where it is mounted, and `users/TASK` for each task that has it.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeDurably } from '#base/durable-file.ts';
import { Fault } from '#base/fault.ts';
import type { VolumeFileSystem } from '#domain/volume.ts';
import type { BlockTools } from './block-tools.ts';

export type BlockMeta = {
  /** What it was formatted with; null: not yet. */
  fileSystem: VolumeFileSystem | null;
  /** A guest of a microVM wrote to it, as it liked: the host's kernel never reads its file system again. */
  guest: boolean;
  /** Its file system is smaller than its file. */
  grown: boolean;
};

export type BlockFiles = ReturnType<typeof createBlockFiles>;
type Kind = 'volumes' | 'snapshots';

/** `hostDir`: STATE/host. */
export function createBlockFiles(hostDir: string, tools: Pick<BlockTools, 'copy'>) {
  const dirOf = (kind: Kind, id: string) => join(hostDir, kind, id);
  const image = (kind: Kind, id: string) => join(dirOf(kind, id), 'image');
  const exists = async (kind: Kind, id: string): Promise<boolean> => {
    try {
      await stat(image(kind, id));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  };
  const meta = async (kind: Kind, id: string): Promise<BlockMeta> =>
    JSON.parse(await readFile(join(dirOf(kind, id), 'meta.json'), 'utf8')) as BlockMeta;
  const setMeta = async (id: string, value: BlockMeta): Promise<void> => {
    const path = join(dirOf('volumes', id), 'meta.json');
    await rm(`${path}.new`, { force: true });
    await writeDurably(path, JSON.stringify(value), `${path}.new`);
  };
  /** `fill` makes the image; then all of it is there at once. */
  const make = async (kind: Kind, id: string, value: BlockMeta, fill: (path: string) => Promise<void>): Promise<void> => {
    const parent = join(hostDir, kind);
    const temp = join(parent, `${id}.new`);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await rm(temp, { recursive: true, force: true });
    try {
      await mkdir(temp, { mode: 0o700 });
      await writeFile(join(temp, 'image'), '', { mode: 0o600 });
      await fill(join(temp, 'image'));
      await writeFile(join(temp, 'meta.json'), JSON.stringify(value), { mode: 0o600 });
      if (kind === 'volumes') for (const name of ['mnt', 'users']) await mkdir(join(temp, name), { mode: 0o700 });
      await synced(join(temp, 'image'));
      await syncFolder(temp);
      await rename(temp, dirOf(kind, id));
      await syncFolder(parent);
    } catch (error) {
      await rm(temp, { recursive: true, force: true });
      throw fullDisk(error, id);
    }
  };
  return {
    exists,
    image,
    meta,
    setMeta,
    place: (id: string) => join(dirOf('volumes', id), 'mnt'),
    /** An empty volume. */
    create: (id: string, bytes: number) =>
      make('volumes', id, { fileSystem: null, guest: false, grown: false }, (path) => truncate(path, bytes)),
    /** A copy of one in another place. `bytes`: at least so large. */
    async copy(from: { kind: Kind; id: string }, to: { kind: Kind; id: string }, bytes: number): Promise<void> {
      const value = await meta(from.kind, from.id);
      const { size } = await stat(image(from.kind, from.id));
      const grown = value.grown || (value.fileSystem !== null && size < bytes);
      await make(to.kind, to.id, { ...value, grown }, async (path) => {
        await tools.copy(image(from.kind, from.id), path);
        await chmod(path, 0o600);
        if (size < bytes) await truncate(path, bytes);
      });
    },
    size: async (id: string): Promise<number> => (await stat(image('volumes', id))).size,
    async enlarge(id: string, bytes: number): Promise<void> {
      const value = await meta('volumes', id);
      if (value.fileSystem !== null) await setMeta(id, { ...value, grown: true });
      await truncate(image('volumes', id), bytes).catch((error: unknown) => Promise.reject(fullDisk(error, id)));
    },
    /** What of it is written. */
    used: async (kind: Kind, id: string): Promise<number> => (await stat(image(kind, id))).blocks * 512,
    async remove(kind: Kind, id: string): Promise<void> {
      await rm(dirOf(kind, id), { recursive: true, force: true });
    },
    /** Ids, without what was left half made, which goes. */
    async list(kind: Kind): Promise<string[]> {
      const names = await readdir(join(hostDir, kind)).catch(() => []);
      for (const name of names.filter((one) => one.endsWith('.new'))) await rm(join(hostDir, kind, name), { recursive: true, force: true });
      return names.filter((name) => !name.endsWith('.new'));
    },
    users: (id: string): Promise<string[]> => readdir(join(dirOf('volumes', id), 'users')).catch(() => []),
    async addUser(id: string, taskId: string): Promise<void> {
      await writeFile(join(dirOf('volumes', id), 'users', taskId), '', { mode: 0o600 });
      await syncFolder(join(dirOf('volumes', id), 'users'));
    },
    dropUser: (id: string, taskId: string): Promise<void> => rm(join(dirOf('volumes', id), 'users', taskId), { force: true }),
  };
}

async function synced(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function fullDisk(error: unknown, id: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EFBIG')
    return new Fault('LimitExceeded', `the host's file system can't hold a file as large as volume ${id}`, { cause: error });
  return code === 'ENOSPC' ? new Fault('LimitExceeded', `the host's disk is full: there is no room for ${id}`, { cause: error }) : error;
}
