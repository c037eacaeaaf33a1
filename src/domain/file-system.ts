/** Shared file systems as EFS has them (API reference, version 2015-02-01). Desired state, all of it: intent is the only writer. */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type FileSystemRecord = {
  /** `fs-` and 17 hex digits. */
  key: Scope & { id: string };
  revision: number;
  creationToken: string;
  createdAt: number;
  performanceMode: 'generalPurpose' | 'maxIO';
  throughputMode: 'bursting' | 'provisioned' | 'elastic';
  provisionedMibps: number | null;
  encrypted: boolean;
  kmsKeyId: string | null;
  /** Of a One Zone file system. */
  zone: string | null;
  /** Kept and read back; berth makes no backups by itself and has no colder storage. */
  backup: boolean;
  lifecycle: Record<string, string>[];
  overwriteProtection: 'ENABLED' | 'DISABLED';
  tags: Tag[];
};

/** What is left to do for one that was deleted: its files are still on hosts. Gone once every host has said that they aren't. */
export type FileSystemDeletionRecord = {
  /** The file system's. */
  key: Scope & { id: string };
  revision: number;
  /** Written by intent. */
  desired: { at: number };
  /** Written by control/file-systems: ids of hosts. */
  observed: { goneFrom: string[] };
};

export type PosixUser = { uid: number; gid: number; secondaryGids: number[] };

export type AccessPointRecord = {
  /** `fsap-` and 17 hex digits. */
  key: Scope & { id: string };
  revision: number;
  fileSystemId: string;
  clientToken: string;
  user: PosixUser | null;
  root: { path: string; creation: { uid: number; gid: number; permissions: string } | null };
  tags: Tag[];
};

export type MountTargetRecord = {
  /** `fsmt-` and 17 hex digits. */
  key: Scope & { id: string };
  revision: number;
  fileSystemId: string;
  subnetId: string;
  vpcId: string;
  zone: string;
  zoneId: string;
  ip: string;
  networkInterfaceId: string;
  securityGroups: string[];
};

export const fileSystemArn = (key: FileSystemRecord['key']) =>
  `arn:aws:elasticfilesystem:${key.region}:${key.account}:file-system/${key.id}`;
export const accessPointArn = (key: AccessPointRecord['key']) =>
  `arn:aws:elasticfilesystem:${key.region}:${key.account}:access-point/${key.id}`;

/** The id in an id or ARN of a file system or access point of this account and region; any other text comes back as it is. */
export function efsIdOf(scope: Scope, reference: string): string {
  const start = `arn:aws:elasticfilesystem:${scope.region}:${scope.account}:`;
  return reference.startsWith(start) ? reference.slice(start.length).replace(/^(file-system|access-point)\//, '') : reference;
}
