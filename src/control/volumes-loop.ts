/** Volumes and snapshots: their hosts are told to make, grow, copy and remove them. Writer of `snapshots.observed` and, with placement, of `volumes.observed`. */
import type { Clock } from '#base/clock.ts';
import { asFault, isFault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { TaskRecord } from '#domain/task.ts';
import { volumeUsage } from '#domain/usage.ts';
import type { SnapshotRecord, VolumeRecord } from '#domain/volume.ts';
import { hostOps } from '#link/operations.ts';
import { planVolumes } from '#plan/volumes.ts';
import type { VolumesSnapshot, VolumeStep } from '#plan/volumes.ts';
import type { ReadTx, Store } from '#store/types.ts';
import { createLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { HostCalls } from './types.ts';

/** How often it looks when nothing changes: what failed is tried again. */
const TICK_MS = 15_000;

export type VolumesDeps = { store: Store; clock: Clock; log: Log; hosts: HostCalls };

export function startVolumesLoop(deps: VolumesDeps, holder: string): Loop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'volumes', holder);
  /** A copy may take long: what else there is to do doesn't wait for it. */
  const busy = new Set<string>();
  const loop = startLoop(deps, {
    name: 'volumes',
    tickMs: TICK_MS,
    async run() {
      const steps = planVolumes(await store.read(readSnapshot));
      for (const step of steps) {
        const id = idOf(step);
        if (busy.has(id)) continue;
        busy.add(id);
        void carryOut(deps, lease, step)
          .then(
            () => {
              log.info('volume', { step: step.kind, id });
              busy.delete(id);
              loop.look();
            },
            (error: unknown) => log.warn('volume-failed', { step: step.kind, id, reason: asFault(error).message }),
          )
          .finally(() => busy.delete(id));
      }
    },
  });
  return loop;
}

const idOf = (step: VolumeStep) => ('volume' in step ? step.volume : step.snapshot).key.id;

async function readSnapshot(tx: ReadTx): Promise<VolumesSnapshot> {
  const volumes = await tx.volumes.list({});
  const tasks = new Map<string, TaskRecord>();
  for (const { desired } of volumes) {
    const task = desired.task === null ? undefined : await tx.tasks.byId(desired.task.id);
    if (task !== undefined) tasks.set(task.key.id, task);
  }
  return { volumes, tasks, snapshots: await tx.snapshots.list({}), hosts: volumes.length === 0 ? [] : await tx.hosts.list({}) };
}

async function carryOut({ clock, hosts }: VolumesDeps, lease: Lease, step: VolumeStep): Promise<void> {
  const ask = (hostId: string, op: string, body: Json, timeoutMs: number = limits.volumeCallMs) =>
    hosts.request(hostId, op, body, { timeoutMs });
  switch (step.kind) {
    case 'place':
      return await setVolume(lease, step.volume, { hostId: step.hostId });
    case 'keep': {
      const { volume, hostId } = step;
      const { sizeGib, snapshotId } = volume.desired;
      try {
        await ask(hostId, hostOps.volumeKeep, { id: volume.key.id, sizeGib, snapshotId }, limits.snapshotCallMs);
      } catch (error) {
        await setVolume(lease, volume, { error: asFault(error).message });
        throw error;
      }
      return await setVolume(lease, volume, { sizeGib, error: null });
    }
    case 'remove':
      if (step.hostId !== null) await ask(step.hostId, hostOps.volumeRemove, { id: step.volume.key.id });
      return await lease.write(async (tx) => {
        const volume = await tx.volumes.get(step.volume.key);
        if (volume === undefined) return;
        const task = volume.desired.task === null ? undefined : await tx.tasks.byId(volume.desired.task.id);
        await tx.usage.add(volumeUsage(volume, task, clock.now()));
        await tx.volumes.delete(volume.key);
      });
    case 'take': {
      const { snapshot, hostId } = step;
      return await setSnapshot(lease, snapshot, await taken(ask, snapshot, hostId, clock));
    }
    case 'fail':
      return await setSnapshot(lease, step.snapshot, { state: 'error', error: step.reason });
    case 'drop':
      if (step.hostId !== null) await ask(step.hostId, hostOps.snapshotRemove, { id: step.snapshot.key.id });
      return await lease.write(async (tx) => void (await tx.snapshots.delete(step.snapshot.key)));
  }
}

/** What can't be had in this way will not be had later either: the snapshot says so. */
async function taken(
  ask: (hostId: string, op: string, body: Json, timeoutMs: number) => Promise<Json>,
  { key, desired }: SnapshotRecord,
  hostId: string,
  clock: Clock,
): Promise<Partial<SnapshotRecord['observed']>> {
  try {
    const body = { id: desired.volumeId, snapshotId: key.id };
    const { bytes } = (await ask(hostId, hostOps.volumeSnapshot, body, limits.snapshotCallMs)) as { bytes: number };
    return { state: 'completed', hostId, completedAt: clock.now(), bytes, error: null };
  } catch (error) {
    if (!isFault(error, 'Unsupported') && !isFault(error, 'ResourceNotFound') && !isFault(error, 'LimitExceeded')) throw error;
    return { state: 'error', hostId, error: error.message };
  }
}

/** As it is by now: others may have changed what they write. */
async function setVolume(lease: Lease, { key }: VolumeRecord, change: Partial<VolumeRecord['observed']>): Promise<void> {
  await lease.write(async (tx) => {
    const volume = await tx.volumes.get(key);
    if (volume === undefined || ('hostId' in change && volume.observed.hostId !== null)) return;
    const observed = { ...volume.observed, ...change };
    if (JSON.stringify(observed) === JSON.stringify(volume.observed)) return;
    await tx.volumes.setObserved(key, observed, volume.revision);
  });
}

async function setSnapshot(lease: Lease, { key }: SnapshotRecord, change: Partial<SnapshotRecord['observed']>): Promise<void> {
  await lease.write(async (tx) => {
    const snapshot = await tx.snapshots.get(key);
    if (snapshot !== undefined) await tx.snapshots.setObserved(key, { ...snapshot.observed, ...change }, snapshot.revision);
  });
}
