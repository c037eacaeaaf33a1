/**
 * Keeps the file systems of S3 Files that tasks of this host have in step with their buckets: level-triggered, one file system at a time each. One that no
 * task has and that owes its bucket nothing is left alone until a task comes. Its directory is STATE/host/filesystems/ID; what is known of it, and what is on
 * its way, STATE/host/buckets/ID.
 */
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { createTurns } from '../turns.ts';
import { applyPlan, tidyIncoming } from './apply.ts';
import type { BucketDoor, Listing } from './door.ts';
import { openKept, readKey, type Kept, type SystemKey } from './kept.ts';
import { planSync } from './plan.ts';
import { identityOf, scan } from './tree.ts';

export type BucketSyncDeps = { clock: Clock; random: Random; log: Log; doorOf(system: SystemKey): BucketDoor };

export type BucketSync = {
  /** The task has it from now on; all that is in the bucket is there when it resolves. Throws what the door throws, LimitExceeded. */
  use(taskId: string, system: SystemKey): Promise<void>;
  /** Idempotent. */
  release(taskId: string): Promise<void>;
  /** Takes up what a former host agent had, for the tasks that live. */
  recover(living: readonly string[]): Promise<void>;
  stop(): Promise<void>;
};

/** Looks one behind the other until nothing is left to do: a directory may have to go before a file comes. */
const ROUNDS = 4;

/** `hostDir`: STATE/host. */
export function createBucketSync(deps: BucketSyncDeps, hostDir: string): BucketSync {
  const systems = new Map<string, SystemSync>();
  const stateDir = join(hostDir, 'buckets');
  const systemOf = (key: SystemKey): SystemSync => {
    const known =
      systems.get(key.id) ?? createSystemSync(deps, key, { root: join(hostDir, 'filesystems', key.id), state: join(stateDir, key.id) });
    systems.set(key.id, known);
    return known;
  };
  return {
    async use(taskId, key) {
      await systemOf(key).use(taskId);
    },
    async release(taskId) {
      for (const system of systems.values()) await system.release(taskId);
    },
    async recover(living) {
      for (const id of await readdir(stateDir).catch(() => [])) {
        const key = await readKey(join(stateDir, id));
        if (key !== undefined) await systemOf(key).recover(living);
      }
    },
    async stop() {
      await Promise.all([...systems.values()].map((system) => system.stop()));
    },
  };
}

type SystemSync = {
  use(taskId: string): Promise<void>;
  release(taskId: string): Promise<void>;
  recover(living: readonly string[]): Promise<void>;
  stop(): Promise<void>;
};

/** What is remembered between two looks; nothing of it while nobody has the file system. */
type Memory = Kept & { listing: Listing | null; noticed: Map<string, number> };

function createSystemSync(deps: BucketSyncDeps, key: SystemKey, { root, state }: { root: string; state: string }): SystemSync {
  const { clock, log } = deps;
  const dirs = { fileSystemId: key.id, root, incoming: join(state, 'incoming') };
  const door = deps.doorOf(key);
  const users = new Set<string>();
  let memory: Memory | null = null;
  let timer: Timer | null = null;
  let stopped = false;
  let told = '';
  /** What the bucket lacked when both sides were last seen. */
  let owed = 0;
  /** What looking took the last time, without what there was to do. */
  let lookMs = 0;
  /** Of the last failure, which is logged once. */
  let reason = '';
  const turns = createTurns();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => turns(key.id, work);

  const prepare = async (): Promise<Memory> => {
    const kept = await openKept(state, key, root);
    await tidyIncoming(dirs);
    return { ...kept, listing: null, noticed: new Map() };
  };
  /** One look at both sides. The number of things that were done, and what the bucket still lacks. */
  const look = async (): Promise<{ done: number; pending: number; hidden: number }> => {
    const begun = clock.now();
    if (memory !== null && memory.directory !== (await identityOf(root))) memory = null;
    const listing = (await door.list(memory?.listing?.token ?? null)) ?? memory?.listing ?? null;
    // Once the file system is known to be there still.
    memory ??= await prepare();
    const now = memory;
    now.listing = listing;
    if (now.listing === null) throw new Fault('Internal', 'the bucket was not listed');
    const { objects, prefix, exportAfterMs } = now.listing;
    const local = await scan(root, Buffer.byteLength(prefix));
    const view = { base: now.log.entries, local, remote: objects, noticed: now.noticed, now: clock.now(), exportAfterMs };
    const plan = planSync(view);
    now.noticed = plan.noticed;
    owed = plan.pending;
    lookMs = clock.now() - begun;
    await applyPlan({ random: deps.random, door, log: now.log, assertRoom: (bytes) => assertRoom(root, bytes) }, dirs, plan.actions);
    return { done: plan.actions.length, pending: plan.pending, hidden: plan.hidden };
  };

  const rounds = async (): Promise<number> => {
    let last = await look();
    for (let round = 1; round < ROUNDS && last.done > 0 && !stopped; round++) last = await look();
    await tell({ pending: last.pending, hidden: last.hidden, failure: null });
    return last.pending;
  };
  const tell = async (what: Parameters<BucketDoor['report']>[0]) => {
    const text = JSON.stringify(what);
    if (text === told) return;
    await door.report(what);
    told = text;
  };

  const later = (delayMs: number) => {
    const gone = (error: unknown) => log.warn('bucket.sync', { id: key.id, reason: asFault(error).message });
    timer?.cancel();
    timer = stopped ? null : clock.after(delayMs, () => void inTurn(tick).catch(gone));
  };
  /** A look that takes long is made as rarely as it takes a twentieth of the time. */
  const pause = (leastMs: number) => later(Math.max(leastMs, 20 * lookMs));
  const rest = () => {
    timer?.cancel();
    timer = null;
    memory = null;
  };
  const tick = async (): Promise<void> => {
    if (stopped) return;
    try {
      const pending = await rounds();
      reason = '';
      if (users.size > 0 || pending > 0) pause(limits.bucketSyncMs);
      else rest();
    } catch (error) {
      await failed(error);
    }
  };
  const failed = async (error: unknown): Promise<void> => {
    const { code, message } = asFault(error);
    if (code === 'ResourceNotFound') {
      // Deleted: its files go by themselves (deleted.ts).
      rest();
      if (users.size === 0) await rm(state, { recursive: true, force: true });
      return;
    }
    pause(limits.bucketRetryMs);
    if (code === 'Unavailable' || code === 'TimedOut') return;
    if (message !== reason) log.warn('bucket.sync', { id: key.id, code, reason: message });
    reason = message;
    const failure = code === 'Internal' ? 'the host of its tasks could not bring it together with its bucket' : message;
    await tell({ pending: owed, hidden: 0, failure }).catch(() => {});
  };

  return {
    async use(taskId) {
      await inTurn(async () => {
        await mkdir(join(state, 'users'), { recursive: true, mode: 0o700 });
        await writeFile(join(state, 'users', taskId), '', { mode: 0o600 });
        users.add(taskId);
        try {
          await rounds();
        } catch (error) {
          if (!isFault(error, 'Unavailable')) await failed(error);
          throw error;
        }
        pause(limits.bucketSyncMs);
      });
    },
    async release(taskId) {
      if (!users.delete(taskId)) return;
      await rm(join(state, 'users', taskId), { force: true });
      // Once more, for what it wrote last.
      later(0);
    },
    async recover(living) {
      for (const taskId of await readdir(join(state, 'users')).catch(() => [])) {
        if (living.includes(taskId)) users.add(taskId);
        else await rm(join(state, 'users', taskId), { force: true });
      }
      later(0);
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      await inTurn(async () => {});
    },
  };
}

async function assertRoom(root: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize - bytes >= limits.objectFreeBytes) return;
  throw new Fault('LimitExceeded', `the host's disk has no room for what is in the bucket (${bytes} bytes more)`);
}
