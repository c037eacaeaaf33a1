/** Wishes about file systems that show buckets (S3 Files). Errors have EFS's names; the front door has S3 Files' classes for them. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { DEFAULT_SYNCHRONIZATION, type BucketSystemRecord, type Synchronization } from '#domain/s3-files.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import { accessPointOf, bucketSystemOf, efsFault } from './efs-faults.ts';
import { assertNoTargets, s3FilesFamily } from './share-family.ts';
import type { IntentDeps } from './types.ts';

export type BucketSystemWish = Omit<BucketSystemRecord['desired'], 'createdAt' | 'synchronization'>;

/** The same token with the same wish gives the same file system. Throws FileSystemAlreadyExists for another wish, FileSystemLimitExceeded. */
export async function createBucketSystem(deps: IntentDeps, scope: Scope, wish: BucketSystemWish): Promise<BucketSystemRecord> {
  const now = deps.clock.now();
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const present = await tx.bucketSystems.list({ account, region });
    const same = present.find(({ desired }) => desired.clientToken === wish.clientToken);
    if (same !== undefined) {
      const { bucket, prefix, role, kmsKeyId } = same.desired;
      if (bucket === wish.bucket && prefix === wish.prefix && role === wish.role && kmsKeyId === wish.kmsKeyId) return same;
      const text = `File system '${same.key.id}' already exists with client token '${wish.clientToken}' and other parameters.`;
      throw efsFault('FileSystemAlreadyExists', text, 'AlreadyExists', { resourceId: same.key.id, resourceType: 'FileSystem' });
    }
    if (present.length >= limits.fileSystemsPerRegion) {
      const text = `You have reached the maximum number of file systems in this account: ${limits.fileSystemsPerRegion}.`;
      throw efsFault('FileSystemLimitExceeded', text, 'LimitExceeded');
    }
    const key = { account, region, id: `fs-${hexId(deps.random, 17)}` };
    const desired = { ...wish, createdAt: now, synchronization: DEFAULT_SYNCHRONIZATION };
    return await tx.bucketSystems.insert(key, desired, { hosts: {} });
  });
}

/**
 * Its access points and files go with it; what is in the bucket stays. Throws FileSystemInUse while it has mount targets, and, unless `force`, PendingExports while a
 * host has changes that aren't in the bucket.
 */
export async function deleteBucketSystem(deps: IntentDeps, scope: Scope, id: string, force: boolean): Promise<void> {
  const { account, region } = scope;
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    const { key, observed } = await bucketSystemOf(tx, scope, id);
    await assertNoTargets(tx, scope, id, s3FilesFamily);
    const pending = Object.values(observed.hosts).reduce((sum, host) => sum + host.pending, 0);
    if (pending > 0 && !force) {
      const text = `The file system '${id}' has ${pending} changes that have not been exported to its S3 bucket. To delete it regardless, set forceDelete to true.`;
      throw efsFault('PendingExports', text, 'Conflict', { resourceId: id, resourceType: 'FileSystem' });
    }
    for (const point of await tx.bucketAccessPoints.list({ account, region })) {
      if (point.fileSystemId === id) await tx.bucketAccessPoints.delete(point.key);
    }
    await tx.fileSystemDeletions.insert(key, { at: now }, { goneFrom: [] });
    await tx.bucketSystems.delete(key);
  });
}

/** `known`: the version that the caller has read; undefined: any. Throws SynchronizationConflict when there is a newer one. */
export async function setSynchronization(
  deps: IntentDeps,
  scope: Scope,
  id: string,
  wish: Omit<Synchronization, 'version'>,
  known: number | undefined,
): Promise<void> {
  await deps.store.write(async (tx) => {
    const { key, desired, revision } = await bucketSystemOf(tx, scope, id);
    const { version } = desired.synchronization;
    if (known !== undefined && known !== version) {
      const text = `The synchronization configuration of '${id}' is of version ${version}; the call names version ${known}.`;
      throw efsFault('SynchronizationConflict', text, 'Conflict', { resourceId: id, resourceType: 'FileSystem' });
    }
    await tx.bucketSystems.setDesired(key, { ...desired, synchronization: { ...wish, version: version + 1 } }, revision);
  });
}

/** Of a file system or an access point. */
export async function setS3FilesTags(deps: IntentDeps, scope: Scope, id: string, change: (present: Tag[]) => Tag[]): Promise<void> {
  await deps.store.write(async (tx) => {
    if (id.startsWith('fsap-')) {
      const point = await accessPointOf(tx, scope, id, s3FilesFamily);
      await tx.bucketAccessPoints.put({ ...point, tags: change(point.tags) }, point.revision);
      return;
    }
    const { key, desired, revision } = await bucketSystemOf(tx, scope, id);
    await tx.bucketSystems.setDesired(key, { ...desired, tags: change(desired.tags) }, revision);
  });
}
