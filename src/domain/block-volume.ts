/** Volumes of a task that are block devices with a file system: what a task asks for. Pure. */
import type { TaskRecord } from './task.ts';
import type { Tag } from './task.ts';
import type { TaskSpec } from './task-spec.ts';
import type { VolumeFileSystem } from './volume.ts';

export type BlockVolume = {
  name: string;
  kind: 'block';
  /** `vol-` and 17 hex digits; empty until the task is made (bound-volumes.ts). */
  volumeId: string;
  /** 0, until the task is made: its snapshot's. */
  sizeGib: number;
  /** What it is formatted with when it is new; null: as it is, else ext4. */
  fileSystem: VolumeFileSystem | null;
  /** What a new one begins as; null: empty. */
  snapshotId: string | null;
  from: ManagedVolume | NamedVolume;
};

/** Made for this task alone (ECS API reference, TaskManagedEBSVolumeConfiguration); gone with it unless it says otherwise. */
export type ManagedVolume = {
  by: 'launch';
  /** As asked for; checked against the size when the task is made. */
  settings: { type?: string; iops?: number; throughput?: number };
  encrypted: boolean;
  kmsKeyId: string | null;
  initializationRate: number | null;
  roleArn: string;
  deleteOnTermination: boolean;
  tags: Tag[];
};

/** Found by its name, or made then; it stays. Tasks of its host may have it at the same time. */
export type NamedVolume = {
  by: 'name';
  volume: string;
  /** Whether it is made when it isn't there. */
  create: boolean;
  tags: Tag[];
};

export const blockVolumes = (spec: Pick<TaskSpec, 'volumes'>): BlockVolume[] => spec.volumes.filter((volume) => volume.kind === 'block');

/** Of live tasks, those that have each volume. */
export function volumeUsers(tasks: readonly TaskRecord[]): Map<string, TaskRecord[]> {
  const users = new Map<string, TaskRecord[]>();
  for (const task of tasks) {
    if (task.observed.status === 'STOPPED') continue;
    for (const { volumeId } of blockVolumes(task.desired.spec)) users.set(volumeId, [...(users.get(volumeId) ?? []), task]);
  }
  return users;
}
