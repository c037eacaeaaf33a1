/**
 * Templates that the instances of one machine share, so that each shape boots once per machine and its memory is in the page cache once: DIR/BOOT/KEY,
 * a template's files. An instance has links to them in its own directory, so what is removed here takes nothing from anybody. All of it only saves
 * time: whoever finds nothing here makes a template, and one that can't be shared is the instance's alone.
 */
import { link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { HALF_MADE, TEMPLATE_FILES } from './template-files.ts';

export type SharedTemplates = {
  /** Puts the shared template KEY into an instance's directory, in place of what is there; false when there is none. */
  take(root: string, key: string): Promise<boolean>;
  /** Shares an instance's template, in place of those whose names begin with `prefix`: nobody can go on from them any more. */
  give(root: string, key: string, prefix: string): Promise<void>;
  /** It is of no use. */
  drop(key: string): Promise<void>;
};

export type SharedTemplatesOptions = {
  dir: string;
  /** Of the machine's present start, beyond which no template is of use. */
  bootId(): string;
  /** Tells this instance's unfinished work from others'. */
  mark: string;
  /** Of all that are shared; the longest unused goes first. */
  memoryBytes: number;
};

const COPY_MS = 60_000;

export function createSharedTemplates({ clock, log }: { clock: Clock; log: Log }, options: SharedTemplatesOptions): SharedTemplates {
  const here = () => join(options.dir, options.bootId());

  const used = (path: string) => utimes(path, new Date(clock.now()), new Date(clock.now()));

  /** All of a template's files, in a directory that is not a template yet. */
  const bring = async (from: string, work: string): Promise<void> => {
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true, mode: 0o700 });
    for (const name of TEMPLATE_FILES) await linkOrCopy(clock, join(from, name), join(work, name));
  };

  const remove = (name: string) => rm(join(here(), name), { recursive: true, force: true });

  /** What former boots left; then the longest unused, until the rest fits. */
  const makeRoom = async (keep: string): Promise<void> => {
    for (const boot of await namesIn(options.dir))
      if (boot !== options.bootId()) await rm(join(options.dir, boot), { recursive: true, force: true });
    const all = await Promise.all((await namesIn(here())).map(async (name) => ({ name, ...(await sizeAndUse(join(here(), name))) })));
    let sum = all.reduce((bytes, one) => bytes + one.bytes, 0);
    for (const one of all.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (sum <= options.memoryBytes) return;
      if (one.name === keep) continue;
      sum -= one.bytes;
      await remove(one.name);
    }
  };

  return {
    async take(root, key) {
      const [from, into] = [join(here(), key), join(root, key)];
      const work = `${into}${HALF_MADE}`;
      try {
        await used(from);
        await bring(from, work);
        await rm(into, { recursive: true, force: true });
        await rename(work, into);
        log.info('template.shared', { key });
        return true;
      } catch (error) {
        await rm(work, { recursive: true, force: true });
        // The usual case: nobody has made it yet. One that was just removed is as good as none.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn('template.not-taken', { key, reason: asFault(error).message });
        return false;
      }
    },
    async give(root, key, prefix) {
      const work = join(here(), `${key}.${options.mark}${HALF_MADE}`);
      try {
        await bring(join(root, key), work);
        for (const name of await namesIn(here())) if (name.startsWith(prefix) && !name.startsWith(key)) await remove(name);
        await used(work);
        await rename(work, join(here(), key));
        await makeRoom(key);
      } catch (error) {
        await rm(work, { recursive: true, force: true });
        // Another instance made the same at the same time.
        if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? ''))
          log.warn('template.not-shared', { key, reason: asFault(error).message });
      }
    },
    drop: remove,
  };
}

/** The state directory may lie on another file system than the code. */
async function linkOrCopy(clock: Clock, from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const { code, stderr } = await runChild(clock, 'cp', ['--reflink=auto', '--sparse=always', from, to], { timeoutMs: COPY_MS });
    if (code !== 0) throw new Error(`cp: ${stderr.trim()}`, { cause: error });
  }
}

const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);

/** Zero for one that was just removed. */
async function sizeAndUse(dir: string): Promise<{ bytes: number; usedMs: number }> {
  const [directory, memory] = await Promise.all([dir, join(dir, 'memory')].map((path) => stat(path).catch(() => null)));
  return { bytes: (memory?.blocks ?? 0) * 512, usedMs: directory?.mtimeMs ?? 0 };
}
