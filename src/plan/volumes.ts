/** What volumes and snapshots need next of their hosts. Pure. */
import type { HostRecord } from '#domain/records.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { SnapshotRecord, VolumeRecord } from '#domain/volume.ts';

export type VolumesSnapshot = {
  volumes: readonly VolumeRecord[];
  snapshots: readonly SnapshotRecord[];
  hosts: readonly HostRecord[];
  /** The tasks that volumes were made for, by id, as far as they are still known. */
  tasks: ReadonlyMap<string, TaskRecord>;
};

export type VolumeStep =
  /** From now on it lies there. */
  | { kind: 'place'; volume: VolumeRecord; hostId: string }
  /** Its host makes it, or makes it larger. */
  | { kind: 'keep'; volume: VolumeRecord; hostId: string }
  /** Its host removes it, if it has one, then its record goes. */
  | { kind: 'remove'; volume: VolumeRecord; hostId: string | null }
  | { kind: 'take'; snapshot: SnapshotRecord; hostId: string }
  /** Its volume went before it could be taken. */
  | { kind: 'fail'; snapshot: SnapshotRecord; reason: string }
  | { kind: 'drop'; snapshot: SnapshotRecord; hostId: string | null };

/** Steps on hosts that are connected; each may fail without the others. */
export function planVolumes(now: VolumesSnapshot): VolumeStep[] {
  const connected = new Set(now.hosts.filter(({ status }) => status === 'CONNECTED').map(({ key }) => key.hostId));
  const reachable = (hostId: string | null) => hostId === null || connected.has(hostId);
  const awaited = new Set(now.snapshots.filter(isPending).map(({ desired }) => desired.volumeId));
  const steps = [
    ...now.volumes.map((volume) => volumeStep(volume, now, awaited.has(volume.key.id))),
    ...now.snapshots.map((snapshot) => snapshotStep(snapshot, now)),
  ];
  return steps.filter((step) => step !== null).filter((step) => step.kind === 'fail' || reachable(step.hostId));
}

const isPending = ({ desired, observed }: SnapshotRecord) => observed.state === 'pending' && desired.deletedAt === null;

function volumeStep(volume: VolumeRecord, now: VolumesSnapshot, awaited: boolean): VolumeStep | null {
  const { desired, observed } = volume;
  const owner = desired.task === null ? undefined : now.tasks.get(desired.task.id);
  const over = desired.task !== null && (owner === undefined || owner.observed.status === 'STOPPED');
  if (desired.deletedAt !== null || (over && desired.task?.deleteOnTermination === true)) {
    // A snapshot that was asked for before is taken first, if there is anything to take.
    if (!awaited || observed.hostId === null) return { kind: 'remove', volume, hostId: observed.hostId };
    return kept(volume, observed.hostId);
  }
  if (observed.hostId === null) {
    // A task's volume lies where the task is; a name's where its first task is.
    if (desired.task !== null && !over) return null;
    if (desired.name !== null && desired.snapshotId === null && !awaited) return null;
    const hostId = homeOf(volume, now);
    return hostId === null ? null : { kind: 'place', volume, hostId };
  }
  // The host makes it with the task's other parts; from then on it is asked.
  if (desired.task !== null && !over && (owner?.observed.startedAt ?? null) === null) return null;
  return kept(volume, observed.hostId);
}

const kept = (volume: VolumeRecord, hostId: string): VolumeStep | null =>
  (volume.observed.sizeGib ?? 0) < volume.desired.sizeGib ? { kind: 'keep', volume, hostId } : null;

/** Where its snapshot is, else where most of the disk is free; null: nowhere now. */
function homeOf({ key, desired }: VolumeRecord, now: VolumesSnapshot): string | null {
  if (desired.snapshotId !== null) {
    const of = now.snapshots.find(
      (one) => one.key.id === desired.snapshotId && one.key.account === key.account && one.key.region === key.region,
    );
    if (of !== undefined && of.observed.hostId !== null) return of.observed.hostId;
  }
  const [best] = now.hosts
    .filter(({ status }) => status === 'CONNECTED')
    .toSorted((a, b) => b.usage.freeDiskBytes - a.usage.freeDiskBytes || (a.key.hostId < b.key.hostId ? -1 : 1));
  return best?.key.hostId ?? null;
}

function snapshotStep(snapshot: SnapshotRecord, now: VolumesSnapshot): VolumeStep | null {
  const { key, desired, observed } = snapshot;
  if (desired.deletedAt !== null) return { kind: 'drop', snapshot, hostId: observed.hostId };
  if (observed.state !== 'pending') return null;
  const volume = now.volumes.find(
    (one) => one.key.id === desired.volumeId && one.key.account === key.account && one.key.region === key.region,
  );
  if (volume === undefined) return { kind: 'fail', snapshot, reason: `the volume ${desired.volumeId} is gone` };
  const { hostId, sizeGib } = volume.observed;
  return hostId === null || sizeGib === null ? null : { kind: 'take', snapshot, hostId };
}
