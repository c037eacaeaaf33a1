/** Wishes about access points: ways into a file system with a root and a POSIX user of their own. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { AccessPointRecord } from '#domain/file-system.ts';
import type { Scope } from '#domain/scope.ts';
import { accessPointOf, efsFault } from './efs-faults.ts';
import { efsFamily } from './share-family.ts';
import type { IntentDeps } from './types.ts';

/** The same token with the same wish gives the same access point. Throws AccessPointAlreadyExists for another wish, AccessPointLimitExceeded. */
export async function createAccessPoint(
  deps: IntentDeps,
  scope: Scope,
  wish: Omit<AccessPointRecord, 'key' | 'revision'>,
  family = efsFamily,
): Promise<AccessPointRecord> {
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    await family.zoneOf(tx, scope, wish.fileSystemId);
    const points = await tx[family.points].list({ account, region });
    const same = points.find((one) => one.clientToken === wish.clientToken);
    if (same !== undefined) {
      const { key, revision: _revision, ...present } = same;
      if (JSON.stringify(sorted(present)) === JSON.stringify(sorted(wish))) return same;
      const text = `Access point '${key.id}' already exists with client token '${wish.clientToken}'`;
      throw efsFault('AccessPointAlreadyExists', text, 'AlreadyExists', { AccessPointId: key.id });
    }
    if (points.filter((one) => one.fileSystemId === wish.fileSystemId).length >= limits.accessPointsPerFileSystem) {
      const text = `The file system has the maximum number of access points: ${limits.accessPointsPerFileSystem}.`;
      throw efsFault('AccessPointLimitExceeded', text, 'LimitExceeded');
    }
    return await tx[family.points].put({ ...wish, key: { account, region, id: `fsap-${hexId(deps.random, 17)}` } }, 0);
  });
}

const sorted = (record: object) => Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));

export async function deleteAccessPoint(deps: IntentDeps, scope: Scope, id: string, family = efsFamily): Promise<void> {
  await deps.store.write(async (tx) => void (await tx[family.points].delete((await accessPointOf(tx, scope, id, family)).key)));
}
