/** Volumes on shared file systems: what a task asks for, and what stands behind it. Pure. */
import type { BucketSystemRecord } from './s3-files.ts';
import type { AccessPointRecord, FileSystemRecord, MountTargetRecord, PosixUser } from './file-system.ts';

/** Where a microVM finds its task's file server, in its VPC's router. */
export const FILE_SERVER_ADDRESS = '169.254.170.4';

/** A directory of an EFS file system. */
export type SharedVolume = {
  name: string;
  kind: 'shared';
  fileSystemId: string;
  rootDirectory: string;
  accessPointId: string | null;
  /** What control found when it gave the task to its host; absent before. */
  found?: SharedPlace;
};

export type SharedPlace =
  /**
   * `creation`: how the directory is made when it isn't there; null: it must be there. `user`: whoever uses it does so as this one; null, and absent
   * from a control plane of a former version: as it is.
   */
  | { kind: 'directory'; path: string; creation: { uid: number; gid: number; permissions: string } | null; user?: PosixUser | null }
  /** Why it can't be mounted, for the task's owner. */
  | { kind: 'refused'; reason: string };

export type SharedRecords = {
  region: string;
  vpcId: string;
  system: FileSystemRecord | BucketSystemRecord | undefined;
  point: AccessPointRecord | undefined;
  targets: readonly MountTargetRecord[];
};

type Asked = Pick<SharedVolume, 'fileSystemId' | 'rootDirectory' | 'accessPointId'>;

/** As EFS's mount helper decides it, with its words where they are known (amazon-efs-utils, mount_efs). */
export function sharedPlace(volume: Asked, records: SharedRecords, service: 'efs' | 's3files' = 'efs'): SharedPlace {
  const { system, point, targets, vpcId, region } = records;
  const id = volume.fileSystemId;
  if (system === undefined || !targets.some((target) => target.fileSystemId === id && target.vpcId === vpcId)) {
    const name = service === 'efs' ? `${id}.efs.${region}.amazonaws.com` : `${id}.s3files.${region}.on.aws`;
    return refused(
      `Failed to resolve "${name}" - check that your file system ID is correct, and ensure that the VPC has an ${service === 'efs' ? 'EFS' : 'S3 Files'} mount target for this file system ID.`,
    );
  }
  if (volume.accessPointId === null) return { kind: 'directory', path: volume.rootDirectory, creation: null, user: null };
  if (point === undefined || point.fileSystemId !== id) {
    return refused(
      `mount.nfs4: access denied by server while mounting 127.0.0.1:/ (access point ${volume.accessPointId} of ${id} does not exist)`,
    );
  }
  return { kind: 'directory', path: point.root.path, creation: point.root.creation, user: point.user };
}

const refused = (reason: string): SharedPlace => ({ kind: 'refused', reason });

/** AWS's text around what its mount helper said. */
export const efsUtilsError = (reason: string) =>
  `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: ${reason} : unsuccessful EFS utils command execution; code: 32`;
