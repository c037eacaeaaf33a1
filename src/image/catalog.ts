/**
 * What a host knows of its images: all in memory, and in a journal (DIR/catalog.jsonl) that is read at start. Images and references
 * are synced before they count; pins are only written, because a power cut ends the tasks that they stand for too.
 */
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '#base/log.ts';
import type { ImageRunConfig } from './types.ts';

export type ImageRecord = {
  /** Of the manifest for this platform. */
  digest: string;
  configDigest: string;
  platform: string;
  /** Diff ids, bottom first, each once. */
  layers: string[];
  run: ImageRunConfig;
  /** Manifest, configuration and layers as they were fetched. */
  sizeBytes: number;
  createdAt: number | null;
  pulledAt: number;
  lastUsedAt: number;
};

/**
 * `resolved`: what the tag pointed to, an index maybe. `imported`: no registry knows it, so none is asked. `guarded`: it came with a task's own credentials,
 * so it is not for every task.
 */
export type RefRecord = { ref: string; digest: string; resolved: string; imported: boolean; guarded?: boolean };

type Entry =
  | { t: 'image'; image: ImageRecord }
  | { t: 'image-gone'; digest: string }
  | { t: 'ref'; ref: RefRecord }
  | { t: 'ref-gone'; ref: string }
  | { t: 'pin'; task: string; digest: string; at: number }
  | { t: 'unpin'; task: string; at: number };

export type Catalog = {
  images: ReadonlyMap<string, ImageRecord>;
  refs: ReadonlyMap<string, RefRecord>;
  /** Task id -> digests of images. */
  pins: ReadonlyMap<string, ReadonlySet<string>>;
  /** Ids of the tasks that use an image. */
  usedBy(digest: string): string[];
  /** Takes effect in memory at once; resolves when it is written (synced, if `sync`). Undone in memory when that fails. */
  add(image: ImageRecord, ref: RefRecord): Promise<void>;
  setRef(ref: RefRecord): Promise<void>;
  removeRefs(refs: string[]): Promise<void>;
  removeImages(digests: string[]): Promise<void>;
  pin(task: string, digest: string, at: number): Promise<void>;
  unpin(tasks: string[], at: number): Promise<void>;
  /** Writes the journal anew, without what is over. */
  compact(): Promise<void>;
  close(): Promise<void>;
};

const COMPACT_AFTER_ENTRIES = 20_000;

export async function openCatalog(dir: string, log: Log): Promise<Catalog> {
  const path = join(dir, 'catalog.jsonl');
  const images = new Map<string, ImageRecord>();
  const refs = new Map<string, RefRecord>();
  const pins = new Map<string, Set<string>>();

  function apply(entry: Entry): void {
    switch (entry.t) {
      case 'image':
        images.set(entry.image.digest, entry.image);
        return;
      case 'image-gone':
        images.delete(entry.digest);
        return;
      case 'ref':
        refs.set(entry.ref.ref, entry.ref);
        return;
      case 'ref-gone':
        refs.delete(entry.ref);
        return;
      case 'pin': {
        const held = pins.get(entry.task) ?? new Set();
        pins.set(entry.task, held.add(entry.digest));
        touch(entry.digest, entry.at);
        return;
      }
      case 'unpin':
        pins.get(entry.task)?.forEach((digest) => touch(digest, entry.at));
        pins.delete(entry.task);
        return;
    }
  }
  const touch = (digest: string, at: number): void => {
    const image = images.get(digest);
    if (image !== undefined) image.lastUsedAt = Math.max(image.lastUsedAt, at);
  };

  const all = (): Entry[] => [
    ...[...images.values()].map((image) => ({ t: 'image' as const, image })),
    ...[...refs.values()].map((ref) => ({ t: 'ref' as const, ref })),
    ...[...pins].flatMap(([task, held]) => [...held].map((digest) => ({ t: 'pin' as const, task, digest, at: 0 }))),
  ];
  for (const entry of await readEntries(path, log)) apply(entry);
  const journal = await openJournal(path, all);

  return {
    images,
    refs,
    pins,
    usedBy: (digest) => [...pins].filter(([, held]) => held.has(digest)).map(([task]) => task),
    async add(image, ref) {
      const before = { image: images.get(image.digest), ref: refs.get(ref.ref) };
      const entries: Entry[] = [
        { t: 'image', image },
        { t: 'ref', ref },
      ];
      entries.forEach(apply);
      await journal.append(entries, true).catch((error: unknown) => {
        if (before.image === undefined) images.delete(image.digest);
        if (before.ref === undefined) refs.delete(ref.ref);
        else refs.set(ref.ref, before.ref);
        throw error;
      });
    },
    async setRef(ref) {
      apply({ t: 'ref', ref });
      await journal.append([{ t: 'ref', ref }], true);
    },
    async removeRefs(names) {
      const entries = names.map((ref): Entry => ({ t: 'ref-gone', ref }));
      entries.forEach(apply);
      await journal.append(entries, true);
    },
    async removeImages(digests) {
      const entries = digests.map((digest): Entry => ({ t: 'image-gone', digest }));
      entries.forEach(apply);
      await journal.append(entries, true);
    },
    async pin(task, digest, at) {
      const held = pins.get(task)?.has(digest) === true;
      const entry: Entry = { t: 'pin', task, digest, at };
      apply(entry);
      if (held) return;
      await journal.append([entry], false).catch((error: unknown) => {
        pins.get(task)?.delete(digest);
        throw error;
      });
    },
    async unpin(tasks, at) {
      const entries = tasks.filter((task) => pins.has(task)).map((task): Entry => ({ t: 'unpin', task, at }));
      entries.forEach(apply);
      await journal.append(entries, false);
    },
    compact: () => journal.compact(),
    close: () => journal.close(),
  };
}

async function readEntries(path: string, log: Log): Promise<Entry[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line, index) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as Entry];
    } catch {
      // A power cut may tear the last lines, which nobody was told about.
      log.warn('image.catalog.torn', { line: index + 1 });
      return [];
    }
  });
}

type Journal = { append(entries: Entry[], sync: boolean): Promise<void>; compact(): Promise<void>; close(): Promise<void> };

/** Appends in batches: all that came while the last batch was written go together. */
async function openJournal(path: string, all: () => Entry[]): Promise<Journal> {
  let file = await open(path, 'a', 0o600);
  let bytes = (await file.stat()).size;
  let entriesWritten = 0;
  let tail: Promise<unknown> = Promise.resolve();
  let next: { lines: string[]; sync: boolean; done: Promise<void> } | null = null;
  const inLine = <T>(fn: () => Promise<T>): Promise<T> => {
    const turn = tail.then(fn);
    tail = turn.catch(() => undefined);
    return turn;
  };

  async function write(lines: string[], sync: boolean): Promise<void> {
    const data = Buffer.from(lines.join(''));
    try {
      for (let done = 0; done < data.length;) done += (await file.write(data, done)).bytesWritten;
      if (sync) await file.datasync();
      bytes += data.length;
      entriesWritten += lines.length;
    } catch (error) {
      // Half a line must not spoil the next one.
      await file.truncate(bytes).catch(() => undefined);
      throw error;
    }
  }
  async function rewrite(): Promise<void> {
    const temp = `${path}.new`;
    await rm(temp, { force: true });
    const fresh: FileHandle = await open(temp, 'a', 0o600);
    try {
      // In one go with reading the state: what is appended from now on stands in line behind us.
      const data = Buffer.from(all().map(toLine).join(''));
      await fresh.writeFile(data);
      await fresh.sync();
      await rename(temp, path);
      await file.close();
      file = fresh;
      bytes = data.length;
      entriesWritten = 0;
    } catch (error) {
      await fresh.close();
      await rm(temp, { force: true });
      throw error;
    }
  }
  return {
    append(entries, sync) {
      if (entries.length === 0) return Promise.resolve();
      if (next === null) {
        const batch = { lines: [] as string[], sync: false, done: Promise.resolve() };
        next = batch;
        batch.done = inLine(async () => {
          next = null;
          await write(batch.lines, batch.sync);
          if (entriesWritten > COMPACT_AFTER_ENTRIES) await rewrite();
        });
      }
      next.lines.push(...entries.map(toLine));
      next.sync ||= sync;
      return next.done;
    },
    compact: () => inLine(rewrite),
    close: () => inLine(() => file.close()),
  };
}

function toLine(entry: Entry): string {
  return `${JSON.stringify(entry)}\n`;
}
