/**
 * Block volumes as EBS has them, and their snapshots. A volume lies on one host, as a sparse file with a file system in it, and outlives
 * what uses it: it is made for one task (volumes configured at launch), by CreateVolume, or by its name (berth's own named volumes).
 */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';
import type { VolumeSettings } from './volume-types.ts';

/** On a volume: the name that task definitions know it by. */
export const VOLUME_NAME_TAG = 'berth:volume';

export type VolumeFileSystem = 'ext3' | 'ext4' | 'xfs';
export const volumeFileSystems: readonly VolumeFileSystem[] = ['ext3', 'ext4', 'xfs'];

export type VolumeRecord = {
  /** `vol-` and 17 hex digits. */
  key: Scope & { id: string };
  revision: number;
  desired: VolumeDesired;
  observed: VolumeObserved;
};

/** Written by intent, and for the tasks of a service by control/services. */
export type VolumeDesired = VolumeSettings & {
  createdAt: number;
  zone: string;
  zoneId: string;
  /** Kept and read back. */
  encrypted: boolean;
  kmsKeyId: string | null;
  /** What a new volume begins as; null: empty. */
  snapshotId: string | null;
  initializationRate: number | null;
  tags: Tag[];
  clientToken: string | null;
  /** The one task that it is for; null: none. */
  task: { cluster: string; id: string; volume: string; deleteOnTermination: boolean } | null;
  /** Unique in its account and region; null: it has none. */
  name: string | null;
  modification: { at: number; before: VolumeSettings } | null;
  /** When it was asked to go; null: it stays. */
  deletedAt: number | null;
};

export type VolumeObserved = {
  /** Where it lies. Written with the placement of the first task that has it (control/placement), else by control/volumes. */
  hostId: string | null;
  /** As its host made it; null: not yet. Written by control/volumes, as all that follows. */
  sizeGib: number | null;
  /** Why its host couldn't do the last thing that it was asked; null: it could. */
  error: string | null;
};

export const newVolumeObserved = (): VolumeObserved => ({ hostId: null, sizeGib: null, error: null });

export type SnapshotRecord = {
  /** `snap-` and 17 hex digits. */
  key: Scope & { id: string };
  revision: number;
  /** Written by intent. */
  desired: {
    createdAt: number;
    volumeId: string;
    /** The volume's when it was taken. */
    sizeGib: number;
    encrypted: boolean;
    kmsKeyId: string | null;
    description: string;
    tags: Tag[];
    deletedAt: number | null;
  };
  /** Written by control/volumes. */
  observed: {
    state: 'pending' | 'completed' | 'error';
    hostId: string | null;
    completedAt: number | null;
    /** What is really written in it. */
    bytes: number | null;
    error: string | null;
  };
};

export type VolumeState = 'creating' | 'available' | 'in-use' | 'deleting' | 'error';

/** As DescribeVolumes has it. `used`: a live task has it. */
export function volumeState({ desired, observed }: Pick<VolumeRecord, 'desired' | 'observed'>, used: boolean): VolumeState {
  if (desired.deletedAt !== null) return 'deleting';
  if (used) return 'in-use';
  // A name's is made where its first task is; until then it is as empty as it would be.
  if (observed.sizeGib !== null || (desired.name !== null && desired.snapshotId === null)) return 'available';
  return observed.error === null ? 'creating' : 'error';
}

export const volumeBytes = (sizeGib: number): number => sizeGib * 1024 ** 3;
