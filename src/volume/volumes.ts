/** The one interface of all kinds of volumes. A kind is a file of its own beside this. */
import type { IsolationKind, VolumeSpec } from '#domain/task-spec.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { BlockVolumes } from './block.ts';

/** Who will have a task's volumes. */
export type VolumeUse = {
  kind: IsolationKind;
  /** Whom containers run as that mount the volume, as definition or image say it; '' is root. */
  usersOf(volume: string): string[];
  /** Aborted when the task should end before it runs. Absent: it never is. */
  signal?: AbortSignal;
};

export type Volumes = {
  /** Sources by volume name. Idempotent. Throws ResourceInitialization with AWS's text. */
  prepare(taskId: string, volumes: VolumeSpec[], use: VolumeUse): Promise<Record<string, VolumeSource>>;
  /** After the task's sandbox is gone. Idempotent, and safe without `prepare` and after half of one. */
  release(taskId: string, volumes: VolumeSpec[]): Promise<void>;
  /** As `release`, of a task that nothing is known of. */
  releaseAll(taskId: string): Promise<void>;
  /** Before anything is prepared: takes back what tasks had that are not among the living. */
  recover(living: readonly string[]): Promise<void>;
  /** The files of a shared file system that was deleted (deleted.ts). */
  removeFileSystem(id: string): Promise<{ gone: boolean }>;
  /** Ends what goes on by itself; tasks keep what they have. */
  stop(): Promise<void>;
} & Pick<BlockVolumes, 'keep' | 'remove' | 'snapshot' | 'removeSnapshot' | 'usage'>;

/** One kind of volume. */
export type VolumeKind<V extends VolumeSpec> = {
  prepare(taskId: string, volume: V, use: VolumeUse): Promise<VolumeSource>;
  /** Of all the task's volumes of this kind, once; not called when it has none. */
  release?(taskId: string): Promise<void>;
  /** Before anything is prepared: takes back what tasks had that are gone. */
  recover?(living: readonly string[]): Promise<void>;
  stop?(): Promise<void>;
};

/** Every kind, by its name in a spec. */
export type VolumeKinds = { [K in VolumeSpec['kind']]: VolumeKind<Extract<VolumeSpec, { kind: K }>> };

export function createVolumes(kinds: VolumeKinds, block: BlockVolumes, removeFileSystem: Volumes['removeFileSystem']): Volumes {
  const prepareOne = (taskId: string, volume: VolumeSpec, use: VolumeUse) => {
    if (volume.kind === 'scratch') return kinds.scratch.prepare(taskId, volume, use);
    if (volume.kind === 'bucket') return kinds.bucket.prepare(taskId, volume, use);
    return volume.kind === 'shared' ? kinds.shared.prepare(taskId, volume, use) : kinds.block.prepare(taskId, volume, use);
  };
  const { keep, remove, snapshot, removeSnapshot, usage } = block;
  return {
    async recover(living) {
      for (const kind of Object.values(kinds)) await kind.recover?.(living);
    },
    async stop() {
      for (const kind of Object.values(kinds)) await kind.stop?.();
    },
    removeFileSystem,
    keep,
    remove,
    snapshot,
    removeSnapshot,
    usage,
    async prepare(taskId, volumes, use) {
      const sources: Record<string, VolumeSource> = {};
      for (const volume of volumes) sources[volume.name] = await prepareOne(taskId, volume, use);
      return sources;
    },
    async release(taskId, volumes) {
      for (const kind of new Set(volumes.map((volume) => volume.kind))) await kinds[kind].release?.(taskId);
    },
    async releaseAll(taskId) {
      for (const kind of Object.values(kinds)) await kind.release?.(taskId);
    },
  };
}

/** For simulations: names without directories, and volumes without files. */
export function createFakeVolumes(): Volumes {
  return {
    prepare: async (_taskId, volumes) => Object.fromEntries(volumes.map((volume) => [volume.name, { kind: 'scratch' as const }])),
    release: async () => {},
    releaseAll: async () => {},
    recover: async () => {},
    stop: async () => {},
    removeFileSystem: async () => ({ gone: true }),
    keep: async () => {},
    remove: async () => {},
    snapshot: async () => ({ bytes: 0 }),
    removeSnapshot: async () => {},
    usage: async () => [],
  };
}
