/** How large shared file systems are, as DescribeFileSystems meters them: what is allocated on the disk, links counted once. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { FileSystemSize } from '#domain/records.ts';
import { DELETED } from './deleted.ts';

export type FileSystemSizes = {
  /** What is known by now. One that is asked for is measured anew, one after the other, once its last measurement is old. */
  look(): FileSystemSize[];
};

/** `hostDir`: STATE/host. */
export function createFileSystemSizes(deps: { clock: Clock; log: Log }, hostDir: string): FileSystemSizes {
  const { clock, log } = deps;
  const base = join(hostDir, 'filesystems');
  let known: FileSystemSize[] = [];
  let busy = false;
  let nextAt = 0;
  const measure = async (): Promise<void> => {
    const names = (await readdir(base).catch(() => [])).filter((name) => name !== DELETED).toSorted();
    const sizes: FileSystemSize[] = [];
    for (const id of names) {
      try {
        // At the least of the machine's attention: a walk through a large one takes long.
        const args = ['-n', '19', 'du', '-s', '-x', '-B', '1', join(base, id)];
        const { stdout } = await runChild(clock, 'nice', args, { timeoutMs: limits.fileSystemSizeMs });
        const bytes = Number.parseInt(stdout, 10);
        if (Number.isSafeInteger(bytes)) sizes.push({ id, bytes, at: clock.now() });
      } catch (error) {
        // Files that went while it looked are its own to bear; this is something else.
        log.warn('filesystem.size', { id, reason: asFault(error).message });
        sizes.push(...known.filter((one) => one.id === id));
      }
    }
    known = sizes;
  };
  return {
    look() {
      if (!busy && clock.now() >= nextAt) {
        busy = true;
        const begun = clock.now();
        void measure().finally(() => {
          busy = false;
          // A walk that takes long is made as rarely as it takes a twentieth of the time.
          nextAt = clock.now() + Math.max(limits.fileSystemSizeEveryMs, 20 * (clock.now() - begun));
        });
      }
      return known;
    },
  };
}
