/** Two services have access points and mount targets of the same form: EFS, and S3 Files for its file systems that show buckets. */
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import { bucketSystemOf, efsFault, fileSystemOf } from './efs-faults.ts';

export type ShareFamily = {
  points: 'accessPoints' | 'bucketAccessPoints';
  targets: 'mountTargets' | 'bucketMountTargets';
  /** The only zone that the file system is in; null: it is in all. Throws FileSystemNotFound. */
  zoneOf(tx: ReadTx, scope: Scope, id: string): Promise<string | null>;
};

export const efsFamily: ShareFamily = {
  points: 'accessPoints',
  targets: 'mountTargets',
  zoneOf: async (tx, scope, id) => (await fileSystemOf(tx, scope, id)).zone,
};

export const s3FilesFamily: ShareFamily = {
  points: 'bucketAccessPoints',
  targets: 'bucketMountTargets',
  zoneOf: async (tx, scope, id) => (await bucketSystemOf(tx, scope, id), null),
};

/** What may not be while a file system is deleted. Throws FileSystemInUse. */
export async function assertNoTargets(tx: ReadTx, { account, region }: Scope, id: string, family: ShareFamily): Promise<void> {
  const targets = (await tx[family.targets].list({ account, region })).filter((one) => one.fileSystemId === id);
  if (targets.length === 0) return;
  const text = `The file system '${id}' is in use: delete its mount targets first (${targets.map((one) => one.key.id).join(', ')}).`;
  throw efsFault('FileSystemInUse', text, 'Conflict');
}
