/**
 * Images as disks of virtual machines: DIR/erofs/sha256-HEX.erofs, an image's layers merged into one read-only file system. Built when the
 * first machine wants it, kept with its image. A disk gets its name once it is whole and on the platter, so what has a name is whole.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { createSharedWork } from './shared-work.ts';
import type { DiskBuilder } from './types.ts';

export type DiskStore = {
  /** Bytes of an image's disk; 0 when there is none. */
  bytes(digest: string): number;
  /**
   * Path of the image's disk, which is built when it isn't there; callers at the same time share the work. `layers`: topmost first; the
   * caller keeps them there meanwhile. Throws the builder's Fault.
   */
  ensure(digest: string, layers: string[], signal?: AbortSignal): Promise<string>;
  /** Removes every disk whose image is gone; not one that is being built. */
  collect(used: (digest: string) => boolean): Promise<{ freedBytes: number }>;
};

export type DiskStoreDeps = { dir: string; builder: DiskBuilder; log: Log };

const NAME = /^(sha256)-([0-9a-f]{64})\.erofs$/;

export async function openDiskStore({ dir, builder, log }: DiskStoreDeps): Promise<DiskStore> {
  const root = join(dir, 'erofs');
  const disks = new Map<string, number>();
  const work = createSharedWork<string, never>();
  const pathOf = (digest: string): string => join(root, `${digest.replace(':', '-')}.erofs`);

  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of await readdir(root)) {
    const [, kind, hex] = NAME.exec(name) ?? [];
    if (kind !== undefined && hex !== undefined) disks.set(`${kind}:${hex}`, (await stat(join(root, name))).size);
    // Half a disk, of a build that was cut off.
    else await rm(join(root, name), { recursive: true, force: true });
  }

  return {
    bytes: (digest) => disks.get(digest) ?? 0,
    async ensure(digest, layers, signal) {
      if (disks.has(digest)) return pathOf(digest);
      return await work.run(digest, { signal }, async () => {
        const { bytes } = await builder.erofsBuild({ layers, into: pathOf(digest) });
        disks.set(digest, bytes);
        return pathOf(digest);
      });
    },
    async collect(used) {
      const gone = [...disks].filter(([digest]) => !used(digest) && !work.has(digest));
      for (const [digest] of gone) disks.delete(digest);
      let freedBytes = 0;
      for (const [digest, bytes] of gone) {
        const removed = await rm(pathOf(digest), { force: true }).then(
          () => true,
          (error: unknown) => log.warn('image.disk.not-removed', { digest, why: asFault(error).message }),
        );
        if (removed === true) freedBytes += bytes;
      }
      return { freedBytes };
    },
  };
}
