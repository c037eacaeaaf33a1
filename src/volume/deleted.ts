/**
 * File systems that were deleted, whose files go for good. A mark on the disk says so before anything is touched, and outlives whatever dies: what no mark
 * names is never removed, so a control plane that lost its database costs nobody a file.
 */
import { mkdir, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { writeDurably } from '#base/durable-file.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type DeletedFileSystems = {
  /** Whether nothing of it is left: a large one goes in the background, and whoever asks again hears how that stands. Idempotent. */
  remove(id: string): Promise<{ gone: boolean }>;
  /** What a former host agent began goes on. */
  recover(): Promise<void>;
  isDeleted(id: string): Promise<boolean>;
};

/** In a directory beside them, of the same file system whatever is mounted where they are. */
export const DELETED = '.deleted';

/**
 * In a mount namespace of its own, where the tree is bound without what is mounted in it: nothing of that is seen, and its place is busy, so that it stays until
 * whoever mounted it takes it away. find(1) follows no links and enters directories by their descriptors, whoever renames them meanwhile.
 */
const CLEAR = 'mount --bind "$1" "$1" && cd "$1" && find . -xdev -mindepth 1 -delete 2>&1 | { head -n 3; cat > /dev/null; }';

/** `base`: STATE/host/filesystems. `inTurn`: nothing else makes or opens one of its directories meanwhile. */
export function createDeletedFileSystems(clock: Clock, base: string, inTurn: <T>(act: () => Promise<T>) => Promise<T>): DeletedFileSystems {
  const dir = join(base, DELETED);
  const markOf = (id: string) => join(dir, `${id}.json`);
  const treeOf = (id: string) => join(dir, id);
  const clearing = new Map<string, Promise<void>>();

  const mark = async (id: string): Promise<void> => {
    if (await exists(markOf(id))) return;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const temporary = `${markOf(id)}.new`;
    // A kill may have left one.
    await rm(temporary, { force: true });
    await writeDurably(markOf(id), `${JSON.stringify({ id, at: clock.now() })}\n`, temporary);
  };
  /** Out of tasks' reach; those that have it go on with what is left of it. Whether there is something to clear. */
  const takeAway = async (id: string): Promise<boolean> => {
    if (!(await exists(treeOf(id))) && (await exists(join(base, id)))) await rename(join(base, id), treeOf(id));
    return await exists(treeOf(id));
  };
  const clear = async (id: string): Promise<void> => {
    const args = ['-n', '19', 'unshare', '--mount', '--propagation', 'private', 'sh', '-c', CLEAR, 'sh', treeOf(id)];
    const { code, stdout, stderr } = await runChild(clock, 'nice', args, { timeoutMs: limits.fileSystemClearMs });
    const said = `${stderr}${stdout}`.trim();
    // Another agent, or what a former one started, may have been quicker.
    if (!(await exists(treeOf(id)))) return;
    if (code !== 0 || said !== '') throw new Fault('Internal', `the files of ${id} can't be removed: ${said.slice(0, 500)}`);
    await rmdir(treeOf(id)).catch(unlessGone);
  };
  const begin = (id: string): Promise<void> => {
    const begun = clearing.get(id) ?? clear(id).finally(() => clearing.delete(id));
    clearing.set(id, begun);
    return begun;
  };
  /** A mark stays for a while, for assignments that were on their way. */
  const forget = async (): Promise<void> => {
    for (const name of await readdir(dir).catch(() => [])) {
      const id = name.slice(0, -'.json'.length);
      if (!name.endsWith('.json') || (await takeAway(id))) continue;
      const { mtimeMs } = await stat(join(dir, name));
      if (clock.now() - mtimeMs > limits.fileSystemMarkKeepMs) await unlink(join(dir, name));
    }
  };
  return {
    async remove(id) {
      if (!/^fs-[0-9a-f]{8,40}$/.test(id)) throw new Fault('InvalidParameter', `"${id.slice(0, 60)}" is no file system's id`);
      const isLeft = await inTurn(async () => {
        await mark(id);
        return await takeAway(id);
      });
      if (!isLeft) return { gone: true };
      // Small ones are gone with the first answer.
      return await Promise.race([
        begin(id).then(() => ({ gone: true })),
        clock.sleep(limits.fileSystemClearWaitMs).then(() => ({ gone: false })),
      ]);
    },
    async recover() {
      await inTurn(forget);
      for (const name of await readdir(dir).catch(() => [])) {
        // Whoever asks for it hears what went wrong.
        if (!name.endsWith('.json') && (await exists(markOf(name)))) void begin(name).catch(() => {});
      }
    },
    isDeleted: (id) => exists(markOf(id)),
  };
}

function unlessGone(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
