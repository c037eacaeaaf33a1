/** A task's block volumes when the task is made: those that are new become rows, and its spec has the ids of all. */
import { asFault, Fault } from '#base/fault.ts';
import type { BlockVolume, ManagedVolume, NamedVolume } from './block-volume.ts';
import { blockVolumes } from './block-volume.ts';
import type { Scope } from './scope.ts';
import { mergeTags } from './tags.ts';
import type { TaskSpec } from './task-spec.ts';
import type { Tag } from './task.ts';
import { assertVolumeName } from './volume-names.ts';
import { newVolumeObserved, VOLUME_NAME_TAG } from './volume.ts';
import type { SnapshotRecord, VolumeDesired, VolumeObserved, VolumeRecord } from './volume.ts';
import { volumeSettings } from './volume-types.ts';
import type { VolumeSettings, VolumeSettingsWish } from './volume-types.ts';

/** What is asked of the store, in the transaction that the task is inserted in. */
export type VolumeTables = {
  volumes: {
    list(scope: Scope): Promise<VolumeRecord[]>;
    insert(key: VolumeRecord['key'], desired: VolumeDesired, observed: VolumeObserved): Promise<VolumeRecord>;
  };
  snapshots: { get(key: SnapshotRecord['key']): Promise<SnapshotRecord | undefined> };
};

export type NewTask = { scope: Scope; cluster: string; id: string; zone: string; zoneId: string; tags: readonly Tag[] };

export type BoundVolumes = {
  spec: TaskSpec;
  /** The one host that the task can run on, since volumes or snapshots of it lie there; null: any. */
  hostId: string | null;
  /** Inserts what is new. */
  commit(): Promise<void>;
};

type Bound = { volume: BlockVolume; hostId: string | null; row: VolumeDesired | null };

/** Changes nothing before `commit`. Throws InvalidParameter: a name or snapshot isn't there, a size doesn't fit, or the volumes lie on several hosts. */
export async function bindVolumes(
  tx: VolumeTables,
  task: NewTask,
  spec: TaskSpec,
  how: { now: number; newId(): string },
): Promise<BoundVolumes> {
  const wishes = blockVolumes(spec);
  if (wishes.length === 0) return { spec, hostId: null, commit: async () => {} };
  const present = await tx.volumes.list(task.scope);
  const bound: Bound[] = [];
  for (const volume of wishes) {
    const { from } = volume;
    // Two volumes of one definition may have one name.
    const same =
      from.by === 'name' ? bound.find((one) => one.volume.from.by === 'name' && one.volume.from.volume === from.volume) : undefined;
    if (same !== undefined) bound.push({ ...same, volume: { ...same.volume, name: volume.name }, row: null });
    else
      bound.push(from.by === 'name' ? named(present, task, { ...volume, from }, how) : await launched(tx, task, { ...volume, from }, how));
  }
  const byName = new Map(bound.map(({ volume }) => [volume.name, volume]));
  return {
    spec: { ...spec, volumes: spec.volumes.map((volume) => byName.get(volume.name) ?? volume) },
    hostId: oneHost(bound),
    async commit() {
      for (const { volume, row } of bound) {
        if (row !== null) await tx.volumes.insert({ ...task.scope, id: volume.volumeId }, row, newVolumeObserved());
      }
    },
  };
}

function oneHost(bound: readonly Bound[]): string | null {
  const [first, other] = [...new Map(bound.filter(({ hostId }) => hostId !== null).map((one) => [one.hostId, one])).values()];
  if (first !== undefined && other !== undefined) {
    throw refuse(`The volumes '${first.volume.name}' and '${other.volume.name}' lie on different hosts: a task can't have both.`);
  }
  return first?.hostId ?? null;
}

async function launched(
  tx: VolumeTables,
  task: NewTask,
  volume: BlockVolume & { from: ManagedVolume },
  how: { now: number; newId(): string },
): Promise<Bound> {
  const { from, snapshotId } = volume;
  const snapshot = snapshotId === null ? undefined : await tx.snapshots.get({ ...task.scope, id: snapshotId });
  if (snapshotId !== null && (snapshot === undefined || snapshot.desired.deletedAt !== null)) {
    throw refuse(`The snapshot '${snapshotId}' does not exist.`);
  }
  if (snapshot !== undefined && snapshot.observed.state !== 'completed') {
    throw refuse(`The snapshot '${snapshotId}' is in the state '${snapshot.observed.state}': only a completed one can be used.`);
  }
  const least = snapshot?.desired.sizeGib ?? 0;
  const sizeGib = volume.sizeGib === 0 ? least : volume.sizeGib;
  if (sizeGib < least) throw refuse(`Volume of size ${sizeGib}GB is smaller than snapshot '${snapshotId}', expect size >= ${least}GB`);
  const settings = settingsOf({ ...from.settings, sizeGib });
  const { encrypted, kmsKeyId, initializationRate, deleteOnTermination } = from;
  const row: VolumeDesired = {
    ...common(task, how.now),
    ...settings,
    encrypted,
    kmsKeyId,
    initializationRate,
    snapshotId,
    tags: mergeTags(from.tags, managedTags(task.tags)),
    task: { cluster: task.cluster, id: task.id, volume: volume.name, deleteOnTermination },
  };
  return { volume: { ...volume, volumeId: how.newId(), sizeGib }, hostId: snapshot?.observed.hostId ?? null, row };
}

/** EC2's names of errors are not ECS's. */
function settingsOf(wish: VolumeSettingsWish): VolumeSettings {
  try {
    return volumeSettings(wish, 'gp2');
  } catch (error) {
    throw refuse(asFault(error).message);
  }
}

/** What ECS puts on a volume that it makes (developer guide, "Tag Amazon EBS volumes for Amazon ECS"). */
function managedTags(taskTags: readonly Tag[]): Tag[] {
  const created = ['AmazonECSCreated', 'AmazonECSManaged'].map((key) => ({ key, value: 'true' }));
  return [...created, ...taskTags.filter(({ key }) => key.startsWith('aws:ecs:'))];
}

function named(
  present: readonly VolumeRecord[],
  task: NewTask,
  volume: BlockVolume & { from: NamedVolume },
  how: { now: number; newId(): string },
): Bound {
  const { from } = volume;
  assertVolumeName(from.volume);
  const found = present.find(({ desired }) => desired.name === from.volume);
  if (found !== undefined) {
    if (found.desired.deletedAt !== null) throw refuse(`The volume named '${from.volume}' is being removed.`);
    const { sizeGib, snapshotId } = found.desired;
    return { volume: { ...volume, volumeId: found.key.id, sizeGib, snapshotId }, hostId: found.observed.hostId, row: null };
  }
  if (!from.create) throw refuse(`There is no volume named '${from.volume}', and its autoprovision is false.`);
  const settings = volumeSettings({ type: 'gp3', sizeGib: volume.sizeGib }, 'gp3');
  const tags = mergeTags(from.tags, [{ key: VOLUME_NAME_TAG, value: from.volume }]);
  const row: VolumeDesired = { ...common(task, how.now), ...settings, name: from.volume, tags };
  return { volume: { ...volume, volumeId: how.newId() }, hostId: null, row };
}

const common = ({ zone, zoneId }: NewTask, createdAt: number) => ({
  createdAt,
  zone,
  zoneId,
  encrypted: false,
  kmsKeyId: null,
  snapshotId: null,
  initializationRate: null,
  clientToken: null,
  task: null,
  name: null,
  modification: null,
  deletedAt: null,
});

const refuse = (text: string) => new Fault('InvalidParameter', text);
