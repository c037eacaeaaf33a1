/** EFS's own errors (API reference, version 2015-02-01), and look-ups that throw them. S3 Files' are told by the same names. */
import { Fault, type FaultCode, type Json } from '#base/fault.ts';
import type { AccessPointRecord, FileSystemRecord, MountTargetRecord } from '#domain/file-system.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { BucketSystemRecord } from '#domain/s3-files.ts';
import type { ReadTx } from '#store/types.ts';
import type { ShareFamily } from './share-family.ts';

export function efsFault(
  errorName: string,
  message: string,
  code: FaultCode = 'InvalidParameter',
  errorMembers: Record<string, Json> = {},
) {
  return new Fault(code, message, { details: { errorName, errorMembers } });
}

const absent = (errorName: string, noun: string, id: string) =>
  efsFault(errorName, `${noun} '${clip(id)}' does not exist.`, 'ResourceNotFound');

export async function fileSystemOf(tx: ReadTx, scope: Scope, id: string): Promise<FileSystemRecord> {
  const found = await tx.fileSystems.get({ account: scope.account, region: scope.region, id });
  if (found === undefined) throw absent('FileSystemNotFound', 'File system', id);
  return found;
}

/** Of S3 Files. */
export async function bucketSystemOf(tx: ReadTx, scope: Scope, id: string): Promise<BucketSystemRecord> {
  const found = await tx.bucketSystems.get({ account: scope.account, region: scope.region, id });
  if (found === undefined) throw absent('FileSystemNotFound', 'File system', id);
  return found;
}

type Points = Pick<ShareFamily, 'points'>;
type Targets = Pick<ShareFamily, 'targets'>;

export async function accessPointOf(
  tx: ReadTx,
  scope: Scope,
  id: string,
  family: Points = { points: 'accessPoints' },
): Promise<AccessPointRecord> {
  const found = await tx[family.points].get({ account: scope.account, region: scope.region, id });
  if (found === undefined) throw absent('AccessPointNotFound', 'Access point', id);
  return found;
}

export async function mountTargetOf(
  tx: ReadTx,
  scope: Scope,
  id: string,
  family: Targets = { targets: 'mountTargets' },
): Promise<MountTargetRecord> {
  const found = await tx[family.targets].get({ account: scope.account, region: scope.region, id });
  if (found === undefined) throw absent('MountTargetNotFound', 'Mount target', id);
  return found;
}
