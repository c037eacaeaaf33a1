/** Wishes about shared file systems, their access points' tags included. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { FileSystemRecord } from '#domain/file-system.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import { fileSystemBytes, fileSystemUsage } from '#domain/usage.ts';
import { accessPointOf, efsFault, fileSystemOf } from './efs-faults.ts';
import { assertNoTargets, efsFamily } from './share-family.ts';
import type { IntentDeps } from './types.ts';

export type FileSystemWish = Omit<FileSystemRecord, 'key' | 'revision' | 'createdAt'>;

/** Throws FileSystemAlreadyExists for a creation token that another one has, FileSystemLimitExceeded past EFS's quota. */
export async function createFileSystem(deps: IntentDeps, scope: Scope, wish: FileSystemWish): Promise<FileSystemRecord> {
  const now = deps.clock.now();
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const present = await tx.fileSystems.list({ account, region });
    const same = present.find((one) => one.creationToken === wish.creationToken);
    if (same !== undefined) {
      const text = `File system '${same.key.id}' already exists with creation token '${wish.creationToken}'`;
      throw efsFault('FileSystemAlreadyExists', text, 'AlreadyExists', { FileSystemId: same.key.id });
    }
    if (present.length >= limits.fileSystemsPerRegion) {
      const text = `You have reached the maximum number of file systems in this region: ${limits.fileSystemsPerRegion}.`;
      throw efsFault('FileSystemLimitExceeded', text, 'LimitExceeded');
    }
    return await tx.fileSystems.put({ ...wish, key: { account, region, id: `fs-${hexId(deps.random, 17)}` }, createdAt: now }, 0);
  });
}

export async function changeFileSystem(
  deps: IntentDeps,
  scope: Scope,
  id: string,
  change: (present: FileSystemRecord) => Partial<FileSystemWish>,
): Promise<FileSystemRecord> {
  return await deps.store.write(async (tx) => {
    const present = await fileSystemOf(tx, scope, id);
    return await tx.fileSystems.put({ ...present, ...change(present) }, present.revision);
  });
}

/** Its access points go with it, and its files soon after. Throws FileSystemInUse while it has mount targets. */
export async function deleteFileSystem(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  const { account, region } = scope;
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    const present = await fileSystemOf(tx, scope, id);
    await assertNoTargets(tx, scope, id, efsFamily);
    for (const point of await tx.accessPoints.list({ account, region })) {
      if (point.fileSystemId === id) await tx.accessPoints.delete(point.key);
    }
    const since = (await tx.usage.lastEnd('fileSystem', present.key.id)) ?? present.createdAt;
    const bytes = fileSystemBytes(await tx.hosts.list({}), present.key.id);
    await tx.usage.add(fileSystemUsage(present, bytes ?? 0, since, now));
    await tx.fileSystems.delete(present.key);
    await tx.fileSystemDeletions.insert(present.key, { at: now }, { goneFrom: [] });
  });
}

/** Of a file system or an access point. */
export async function setEfsTags(deps: IntentDeps, scope: Scope, id: string, change: (present: Tag[]) => Tag[]): Promise<void> {
  await deps.store.write(async (tx) => {
    if (id.startsWith('fsap-')) {
      const point = await accessPointOf(tx, scope, id);
      await tx.accessPoints.put({ ...point, tags: change(point.tags) }, point.revision);
      return;
    }
    const system = await fileSystemOf(tx, scope, id);
    await tx.fileSystems.put({ ...system, tags: change(system.tags) }, system.revision);
  });
}
