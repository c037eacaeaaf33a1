/** Volumes on shared file systems: what a task asks for, and what stands behind it. Pure. */
import type { AccessPointRecord, FileSystemRecord, MountTargetRecord } from './file-system.ts';
import type { ContainerSpec } from './task-spec.ts';

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
  /** `creation`: how the directory is made when it isn't there; null: it must be there. */
  | { kind: 'directory'; path: string; creation: { uid: number; gid: number; permissions: string } | null }
  /** Why it can't be mounted, for the task's owner. */
  | { kind: 'refused'; reason: string };

export type SharedRecords = {
  region: string;
  vpcId: string;
  system: FileSystemRecord | undefined;
  point: AccessPointRecord | undefined;
  targets: readonly MountTargetRecord[];
};

/** As EFS's mount helper decides it, with its words where they are known (amazon-efs-utils, mount_efs). */
export function sharedPlace(volume: SharedVolume, containers: readonly ContainerSpec[], records: SharedRecords): SharedPlace {
  const { system, point, targets, vpcId, region } = records;
  const id = volume.fileSystemId;
  if (system === undefined || !targets.some((target) => target.fileSystemId === id && target.vpcId === vpcId)) {
    const name = `${id}.efs.${region}.amazonaws.com`;
    return refused(
      `Failed to resolve "${name}" - check that your file system ID is correct, and ensure that the VPC has an EFS mount target for this file system ID.`,
    );
  }
  if (volume.accessPointId === null) return { kind: 'directory', path: volume.rootDirectory, creation: null };
  if (point === undefined || point.fileSystemId !== id) {
    return refused(
      `mount.nfs4: access denied by server while mounting 127.0.0.1:/ (access point ${volume.accessPointId} of ${id} does not exist)`,
    );
  }
  const stranger = containers.find((container) => mounts(container, volume.name) && !runsAs(container, point.user));
  if (stranger !== undefined) {
    const user = `${point.user?.uid}:${point.user?.gid}`;
    return refused(
      `access point ${point.key.id} enforces the POSIX user ${user}, and berth mounts it only into containers that run as that user: give container "${stranger.name}" "user": "${user}"`,
    );
  }
  return { kind: 'directory', path: point.root.path, creation: point.root.creation };
}

const refused = (reason: string): SharedPlace => ({ kind: 'refused', reason });
const mounts = (container: ContainerSpec, volume: string) => container.mounts.some((mount) => mount.volume === volume);

/** A bind mount can't change who writes. */
const runsAs = (container: ContainerSpec, user: AccessPointRecord['user']) => user === null || container.user === `${user.uid}:${user.gid}`;

/** AWS's text around what its mount helper said. */
export const efsUtilsError = (reason: string) =>
  `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: ${reason} : unsuccessful EFS utils command execution; code: 32`;
