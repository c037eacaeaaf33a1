/**
 * Unpacked layers, each once: DIR/layers/NAME is a layer's file tree, NAME.json beside it says which. NAME is the beginning of the
 * diff id, short because overlayfs takes all lower directories of an image in one page of mount options.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { writeDurably } from '#base/durable-file.ts';
import { bootId, syncFileSystem } from './durable.ts';
import type { Compression } from './manifest.ts';
import { createSharedWork } from './shared-work.ts';
import type { LayerUnpacker, PullProgress } from './types.ts';

export type LayerRecord = { diffId: string; bytes: number; entries: number; bootId: string; synced: boolean };

/** A packed layer on disk; `dispose` is called once it is unpacked, or not. */
export type PackedLayer = { blob: string; compression: Compression; dispose(): Promise<void> };
export type LayerWaiter = { signal?: AbortSignal; onProgress?: (progress: PullProgress) => void };

export type LayerStore = {
  get(diffId: string): LayerRecord | undefined;
  path(diffId: string): string;
  /** Keeps a layer (there or not yet) from being collected until the returned function is called. */
  lease(diffId: string): () => void;
  /** Makes a layer be there; callers at the same time share the work. Lease it first. */
  ensure(
    diffId: string,
    waiter: LayerWaiter,
    fetch: (signal: AbortSignal, report: (p: PullProgress) => void) => Promise<PackedLayer>,
  ): Promise<LayerRecord>;
  /** Unpacks a layer whose diff id is only known afterwards. The caller gets it leased. */
  adopt(packed: PackedLayer): Promise<{ record: LayerRecord; release: () => void }>;
  /** Removes every layer that is neither in `used` nor leased. */
  collect(used: (diffId: string) => boolean): Promise<{ removed: string[]; freedBytes: number }>;
  /** Makes these layers survive a power cut. */
  settle(diffIds: string[]): Promise<void>;
};

export type LayerStoreDeps = { dir: string; unpacker: LayerUnpacker; clock: Clock; log: Log; tempPath(): string };

const NAME_CHARS = 24;

export async function openLayerStore(deps: LayerStoreDeps): Promise<LayerStore> {
  const { unpacker } = deps;
  const root = join(deps.dir, 'layers');
  const boot = await bootId();
  const layers = new Map<string, LayerRecord>();
  const leases = new Map<string, number>();
  const turns = new Map<string, Promise<unknown>>();
  const work = createSharedWork<LayerRecord, PullProgress>();
  const path = (diffId: string): string => join(root, nameOf(diffId));
  for (const record of await loadLayers(root, boot, deps)) layers.set(record.diffId, record);

  /** Putting a layer in its place and taking it away never overlap. */
  function inTurn<T>(diffId: string, fn: () => Promise<T>): Promise<T> {
    const turn = (turns.get(diffId) ?? Promise.resolve()).catch(() => undefined).then(fn);
    turns.set(diffId, turn);
    const clear = (): void => void (turns.get(diffId) === turn && turns.delete(diffId));
    turn.then(clear, clear);
    return turn;
  }
  function lease(diffId: string): () => void {
    leases.set(diffId, (leases.get(diffId) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (leases.get(diffId) ?? 1) - 1;
      if (left === 0) leases.delete(diffId);
      else leases.set(diffId, left);
    };
  }
  async function unpack(packed: PackedLayer, diffId: string | null): Promise<LayerRecord> {
    const into = deps.tempPath();
    try {
      const done = await unpacker.unpack({ blob: packed.blob, compression: packed.compression, into, diffId });
      const record = { ...done, bootId: boot, synced: false };
      await inTurn(done.diffId, () => install(record, into));
      return layers.get(done.diffId) ?? record;
    } catch (error) {
      await discard(unpacker, into, deps);
      throw error;
    } finally {
      await packed.dispose();
    }
  }
  async function install(record: LayerRecord, from: string): Promise<void> {
    if (layers.has(record.diffId)) return discard(unpacker, from, deps);
    await writeDurably(`${path(record.diffId)}.json`, JSON.stringify(record), deps.tempPath());
    await rename(from, path(record.diffId));
    layers.set(record.diffId, record);
  }
  async function takeAway(record: LayerRecord): Promise<void> {
    const trash = deps.tempPath();
    await rename(path(record.diffId), trash);
    await rm(`${path(record.diffId)}.json`, { force: true });
    await discard(unpacker, trash, deps);
  }

  return {
    get: (diffId) => layers.get(diffId),
    path,
    lease,
    async ensure(diffId, waiter, fetch) {
      for (;;) {
        const there = layers.get(diffId);
        if (there !== undefined) return there;
        const joined = work.has(diffId);
        try {
          return await work.run(diffId, waiter, async (signal, report) => {
            const packed = await fetch(signal, report);
            report({ stage: 'unpack', layer: diffId, bytes: 0, totalBytes: null });
            return unpack(packed, diffId);
          });
        } catch (error) {
          // Somebody else's try failed, by their credentials or address maybe: make one of our own.
          if (!joined || waiter.signal?.aborted === true || isFault(error, 'Cancelled')) throw error;
        }
      }
    },
    async adopt(packed) {
      const record = await unpack(packed, null);
      return { record, release: lease(record.diffId) };
    },
    async collect(used) {
      const gone = [...layers.values()].filter((l) => !used(l.diffId) && !leases.has(l.diffId));
      for (const record of gone) layers.delete(record.diffId);
      // All in line before anything else can be: whoever brings a layer back comes after.
      await Promise.all(gone.map((record) => inTurn(record.diffId, () => takeAway(record))));
      return { removed: gone.map((l) => l.diffId), freedBytes: gone.reduce((sum, l) => sum + l.bytes, 0) };
    },
    async settle(diffIds) {
      const open = diffIds.map((id) => layers.get(id)).filter((l): l is LayerRecord => l !== undefined && !l.synced);
      if (open.length === 0) return;
      await syncFileSystem(deps.clock, root);
      for (const record of open) {
        await inTurn(record.diffId, async () => {
          if (layers.get(record.diffId) !== record) return;
          await writeDurably(`${path(record.diffId)}.json`, JSON.stringify({ ...record, synced: true }), deps.tempPath());
          record.synced = true;
        });
      }
    },
  };
}

function nameOf(diffId: string): string {
  return diffId.slice(diffId.indexOf(':') + 1).slice(0, NAME_CHARS);
}

/** What a former process left: whole layers stay; half ones, and ones that a power cut may have torn, go. */
async function loadLayers(root: string, boot: string, deps: LayerStoreDeps): Promise<LayerRecord[]> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const names = new Set(await readdir(root));
  const records: LayerRecord[] = [];
  for (const name of names) {
    const file = name.endsWith('.json');
    if (file && names.has(name.slice(0, -5))) continue;
    const record = file ? null : await readRecord(join(root, `${name}.json`));
    const whole = record !== null && nameOf(record.diffId) === name && (record.synced || record.bootId === boot);
    if (whole) records.push(record);
    else {
      deps.log.info('image.layer.dropped', { name });
      await rm(join(root, file ? name : `${name}.json`), { force: true });
      if (!file) await discard(deps.unpacker, join(root, name), deps);
    }
  }
  return records;
}

async function readRecord(path: string): Promise<LayerRecord | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LayerRecord;
  } catch {
    return null;
  }
}

/** What can't be removed now is tried again at the next start. */
async function discard(unpacker: LayerUnpacker, path: string, deps: { dir: string; log: Log }): Promise<void> {
  await unpacker.removeTree(path, deps.dir).catch((error: unknown) => {
    if (!isFault(error, 'ResourceNotFound')) deps.log.warn('image.layer.not-removed', { path, why: (error as Fault).message });
  });
}
