/** Wishes about snapshots of volumes. The host that has the volume takes them (control/volumes-loop.ts). */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { SnapshotRecord } from '#domain/volume.ts';
import { ec2Fault, snapshotOf, volumeOf } from './ec2-faults.ts';
import type { IntentDeps } from './types.ts';

/** Of the volume as it is when its host takes it, in use or not. Throws InvalidVolume.NotFound, IncorrectState, SnapshotLimitExceeded. */
export async function createSnapshot(
  deps: IntentDeps,
  scope: Scope,
  wish: { volumeId: string; description: string; tags: Tag[] },
): Promise<SnapshotRecord> {
  const createdAt = deps.clock.now();
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const volume = await volumeOf(tx, scope, wish.volumeId);
    if (volume.desired.deletedAt !== null) throw ec2Fault('IncorrectState', `The volume '${wish.volumeId}' is being deleted.`, 'Conflict');
    if ((await tx.snapshots.list({ account, region })).length >= limits.snapshotsPerRegion) {
      const text = `You have reached the maximum number of snapshots: ${limits.snapshotsPerRegion}.`;
      throw ec2Fault('SnapshotLimitExceeded', text, 'LimitExceeded');
    }
    const { sizeGib, encrypted, kmsKeyId } = volume.desired;
    return await tx.snapshots.insert(
      { account, region, id: `snap-${hexId(deps.random, 17)}` },
      { ...wish, createdAt, sizeGib, encrypted, kmsKeyId, deletedAt: null },
      { state: 'pending', hostId: null, completedAt: null, bytes: null, error: null },
    );
  });
}

/** Volumes that were made from it have copies of their own. One that still waits for its host is in use. Throws InvalidSnapshot.NotFound, InvalidSnapshot.InUse. */
export async function deleteSnapshot(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  const now = deps.clock.now();
  const { account, region } = scope;
  await deps.store.write(async (tx) => {
    const snapshot = await snapshotOf(tx, scope, id);
    const waiting = (await tx.volumes.list({ account, region })).find(
      ({ desired, observed }) => desired.snapshotId === id && observed.sizeGib === null && desired.deletedAt === null,
    );
    if (waiting !== undefined) {
      const text = `The snapshot ${id} is currently in use by ${waiting.key.id}, which is being made from it`;
      throw ec2Fault('InvalidSnapshot.InUse', text, 'Conflict');
    }
    await tx.snapshots.setDesired(snapshot.key, { ...snapshot.desired, deletedAt: now }, snapshot.revision);
  });
}
