/** S3 Files (API reference, version 2025-05-05): file systems that show a bucket, or the part of it behind a prefix. Their access points and mount targets are as EFS's. */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type BucketSystemRecord = {
  /** `fs-` and 17 hex digits. */
  key: Scope & { id: string };
  revision: number;
  desired: {
    createdAt: number;
    clientToken: string;
    bucket: string;
    /** '' for all of it; else it ends with '/'. */
    prefix: string;
    /** ARN of the role that S3 Files reads and writes the bucket with. */
    role: string;
    kmsKeyId: string | null;
    tags: Tag[];
    /** Kept and read back: berth has one kind of storage, and takes all data in at once. */
    synchronization: Synchronization;
  };
  /** By host: what its last look at the file system ended with. */
  observed: { hosts: Record<string, BucketSystemState> };
};

/** `pending`: changes that the bucket doesn't have yet. `failure`: why they didn't get there, or nothing came from there. `hidden`: keys that can't be shown as files. */
export type BucketSystemState = { pending: number; hidden: number; failure: string | null };

export type Synchronization = {
  version: number;
  imports: { prefix: string; trigger: 'ON_DIRECTORY_FIRST_ACCESS' | 'ON_FILE_ACCESS'; sizeLessThan: number }[];
  expirationDays: number;
};

/** What a new file system has (S3 User Guide, "Understanding how synchronization works"). */
export const DEFAULT_SYNCHRONIZATION: Synchronization = {
  version: 1,
  imports: [{ prefix: '', trigger: 'ON_DIRECTORY_FIRST_ACCESS', sizeLessThan: 131_072 }],
  expirationDays: 30,
};

/** Who assumes the roles of file systems. */
export const S3FILES_SERVICE = 'elasticfilesystem.amazonaws.com';

/** S3 Files waits this long after a file's last change until it writes it to the bucket. */
export const EXPORT_AFTER_SECONDS = 60;
/** berth's own tag on a file system: another number of seconds, 0 to 3600. */
export const EXPORT_AFTER_TAG = 'berth:export-after';

export function exportAfterMs(tags: readonly Tag[]): number {
  const wanted = tags.find(({ key }) => key === EXPORT_AFTER_TAG)?.value;
  return (wanted === undefined ? EXPORT_AFTER_SECONDS : Number(wanted)) * 1000;
}

export const isExportAfter = (value: string): boolean => /^\d{1,4}$/.test(value) && Number(value) <= 3600;

export const bucketSystemArn = ({ account, region, id }: BucketSystemRecord['key']) =>
  `arn:aws:s3files:${region}:${account}:file-system/${id}`;
export const bucketPointArn = (system: BucketSystemRecord['key'], point: string) => `${bucketSystemArn(system)}/access-point/${point}`;

/** The ids in an ARN of this account and region, or in an id; undefined for what is neither. */
export function s3FilesIdsOf({ account, region }: Scope, reference: string): { system?: string; point?: string } | undefined {
  const start = `arn:aws:s3files:${region}:${account}:file-system/`;
  if (!reference.startsWith(start)) return reference.startsWith('fs-') ? { system: reference } : { point: reference };
  const [system = '', kind, point, ...rest] = reference.slice(start.length).split('/');
  if (kind === undefined) return { system };
  return kind === 'access-point' && point !== undefined && rest.length === 0 ? { system, point } : undefined;
}
