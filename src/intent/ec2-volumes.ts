/** Wishes about block volumes. Their hosts make, grow and remove them afterwards (control/volumes-loop.ts). */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { volumeUsers } from '#domain/block-volume.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { tagValue } from '#domain/tag-value.ts';
import type { TaskRecord } from '#domain/task.ts';
import { volumeUsage } from '#domain/usage.ts';
import { newVolumeObserved, VOLUME_NAME_TAG, volumeState } from '#domain/volume.ts';
import type { VolumeDesired, VolumeRecord } from '#domain/volume.ts';
import { volumeSettings } from '#domain/volume-types.ts';
import type { VolumeSettings, VolumeSettingsWish } from '#domain/volume-types.ts';
import { assertVolumeName, nameTaken } from '#domain/volume-names.ts';
import type { ReadTx } from '#store/types.ts';
import { ec2Fault, snapshotOf, volumeOf } from './ec2-faults.ts';
import type { IntentDeps } from './types.ts';

export type VolumeWish = Pick<
  VolumeDesired,
  'zone' | 'zoneId' | 'encrypted' | 'kmsKeyId' | 'snapshotId' | 'initializationRate' | 'tags' | 'clientToken'
> & {
  settings: Omit<VolumeSettingsWish, 'sizeGib'> & { sizeGib: number | undefined };
};

/**
 * The same token with the same wish gives the same volume. The tag `berth:volume` names it. Throws EC2's faults: MissingParameter,
 * InvalidSnapshot.NotFound, IncorrectState, InvalidParameterValue, IdempotentParameterMismatch, VolumeLimitExceeded.
 */
export async function createVolume(deps: IntentDeps, scope: Scope, wish: VolumeWish): Promise<VolumeRecord> {
  const createdAt = deps.clock.now();
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const { settings: asked, ...rest } = wish;
    const settings = await settingsFor(tx, scope, asked, wish.snapshotId);
    const name = tagValue(wish.tags, VOLUME_NAME_TAG) ?? null;
    const all = await tx.volumes.list({ account, region });
    const same = wish.clientToken === null ? undefined : all.find(({ desired }) => desired.clientToken === wish.clientToken);
    if (same !== undefined) {
      if (likeness({ ...rest, ...settings, name }) === likeness(same.desired)) return same;
      throw ec2Fault(
        'IdempotentParameterMismatch',
        'The client token you have provided is associated with a resource with different parameters.',
      );
    }
    if (name !== null) assertVolumeName(name);
    if (name !== null && all.some((volume) => volume.desired.name === name)) throw nameTaken(name);
    assertCount(all);
    const desired: VolumeDesired = { ...rest, ...settings, createdAt, task: null, name, modification: null, deletedAt: null };
    return await tx.volumes.insert({ account, region, id: `vol-${hexId(deps.random, 17)}` }, desired, newVolumeObserved());
  });
}

function likeness(of: VolumeSettings & Pick<VolumeDesired, 'zone' | 'encrypted' | 'kmsKeyId' | 'snapshotId' | 'tags' | 'name'>): string {
  const { type, sizeGib, iops, throughput, zone, encrypted, kmsKeyId, snapshotId, tags, name } = of;
  return JSON.stringify([type, sizeGib, iops, throughput, zone, encrypted, kmsKeyId, snapshotId, tags, name]);
}

/** Past the quota. Throws VolumeLimitExceeded. */
function assertCount(all: readonly VolumeRecord[]): void {
  if (all.length < limits.volumesPerRegion) return;
  throw ec2Fault('VolumeLimitExceeded', `You have reached the maximum number of volumes: ${limits.volumesPerRegion}.`, 'LimitExceeded');
}

/** The size of a snapshot where none is asked for, and never less. */
async function settingsFor(tx: ReadTx, scope: Scope, wish: VolumeWish['settings'], snapshotId: string | null): Promise<VolumeSettings> {
  if (snapshotId === null) {
    if (wish.sizeGib === undefined) throw ec2Fault('MissingParameter', 'The request must contain the parameter size/snapshot');
    return volumeSettings({ ...wish, sizeGib: wish.sizeGib }, 'gp2');
  }
  const { desired, observed } = await snapshotOf(tx, scope, snapshotId);
  if (observed.state !== 'completed') {
    throw ec2Fault('IncorrectState', `Snapshot is in invalid state - ${observed.state}`, 'Conflict');
  }
  const sizeGib = wish.sizeGib ?? desired.sizeGib;
  if (sizeGib < desired.sizeGib) {
    throw ec2Fault(
      'InvalidParameterValue',
      `Volume of size ${sizeGib}GB is smaller than snapshot '${snapshotId}', expect size >= ${desired.sizeGib}GB`,
    );
  }
  return volumeSettings({ ...wish, sizeGib }, 'gp2');
}

async function usersOf(tx: ReadTx, { account, region }: Scope, id: string): Promise<TaskRecord[]> {
  return volumeUsers(await tx.tasks.list({ account, region, live: true })).get(id) ?? [];
}

/** Throws InvalidVolume.NotFound, VolumeInUse. Its host removes it, then the record goes. */
export async function deleteVolume(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    const volume = await volumeOf(tx, scope, id);
    const [user] = await usersOf(tx, scope, id);
    if (user !== undefined) throw ec2Fault('VolumeInUse', `Volume ${id} is currently attached to task ${user.key.id}`, 'Conflict');
    if (volume.desired.deletedAt !== null) return;
    await tx.volumes.setDesired(volume.key, { ...volume.desired, deletedAt: now }, volume.revision);
  });
}

/** Larger, or of another type. Throws InvalidVolume.NotFound, IncorrectState, InvalidParameterValue. */
export async function modifyVolume(deps: IntentDeps, scope: Scope, id: string, wish: Partial<VolumeSettingsWish>): Promise<VolumeRecord> {
  const at = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const volume = await volumeOf(tx, scope, id);
    const { desired } = volume;
    const state = volumeState(volume, (await usersOf(tx, scope, id)).length > 0);
    if (state !== 'available' && state !== 'in-use') {
      throw ec2Fault('IncorrectState', `Volume ${id} is in the state '${state}' and can't be modified.`, 'Conflict');
    }
    const sizeGib = wish.sizeGib ?? desired.sizeGib;
    if (sizeGib < desired.sizeGib) throw ec2Fault('InvalidParameterValue', 'New size cannot be smaller than existing size');
    const type = wish.type ?? desired.type;
    const kept =
      type === desired.type && type !== 'gp2' ? { iops: desired.iops ?? undefined, throughput: desired.throughput ?? undefined } : {};
    const given = Object.fromEntries(
      Object.entries({ iops: wish.iops, throughput: wish.throughput }).filter(([, value]) => value !== undefined),
    );
    const settings = volumeSettings({ ...kept, ...given, type, sizeGib }, desired.type);
    const task = desired.task === null ? undefined : await tx.tasks.byId(desired.task.id);
    await tx.usage.add(volumeUsage(volume, task, at));
    const before = { type: desired.type, sizeGib: desired.sizeGib, iops: desired.iops, throughput: desired.throughput };
    return await tx.volumes.setDesired(volume.key, { ...desired, ...settings, modification: { at, before } }, volume.revision);
  });
}

/** Of this id, which isn't a name's. */
export function volumeTagsKept(present: VolumeDesired, tags: VolumeDesired['tags']): VolumeDesired['tags'] {
  if ((tagValue(tags, VOLUME_NAME_TAG) ?? null) === present.name) return tags;
  throw ec2Fault(
    'InvalidParameterValue',
    `The tag ${VOLUME_NAME_TAG} is a volume's name, '${clip(present.name ?? '')}' here: it can't be changed.`,
  );
}
