/** The one interface of all kinds of volumes. A kind is a file of its own beside this. */
import type { IsolationKind, VolumeSpec } from '#domain/task-spec.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { BlockVolumes } from './block.ts';

export type Volumes = {
  /** Sources by volume name, for a sandbox of this kind. Idempotent. Throws ResourceInitialization with AWS's text. */
  prepare(taskId: string, volumes: VolumeSpec[], kind: IsolationKind): Promise<Record<string, VolumeSource>>;
  /** After the task's sandbox is gone. Idempotent, and safe without `prepare` and after half of one. */
  release(taskId: string, volumes: VolumeSpec[]): Promise<void>;
} & Pick<BlockVolumes, 'recover' | 'keep' | 'remove' | 'snapshot' | 'removeSnapshot' | 'usage'>;

/** One kind of volume. */
export type VolumeKind<V extends VolumeSpec> = {
  prepare(taskId: string, volume: V, kind: IsolationKind): Promise<VolumeSource>;
  /** Of all the task's volumes of this kind, once; not called when it has none. */
  release?(taskId: string): Promise<void>;
};

/** Every kind, by its name in a spec. */
export type VolumeKinds = { [K in VolumeSpec['kind']]: VolumeKind<Extract<VolumeSpec, { kind: K }>> };

export function createVolumes(kinds: VolumeKinds, block: BlockVolumes): Volumes {
  const prepareOne = (taskId: string, volume: VolumeSpec, kind: IsolationKind) => {
    if (volume.kind === 'scratch') return kinds.scratch.prepare(taskId, volume, kind);
    return volume.kind === 'shared' ? kinds.shared.prepare(taskId, volume, kind) : kinds.block.prepare(taskId, volume, kind);
  };
  const { recover, keep, remove, snapshot, removeSnapshot, usage } = block;
  return {
    recover,
    keep,
    remove,
    snapshot,
    removeSnapshot,
    usage,
    async prepare(taskId, volumes, kind) {
      const sources: Record<string, VolumeSource> = {};
      for (const volume of volumes) sources[volume.name] = await prepareOne(taskId, volume, kind);
      return sources;
    },
    async release(taskId, volumes) {
      for (const kind of new Set(volumes.map((volume) => volume.kind))) await kinds[kind].release?.(taskId);
    },
  };
}

/** For simulations: names without directories, and volumes without files. */
export function createFakeVolumes(): Volumes {
  return {
    prepare: async (_taskId, volumes) => Object.fromEntries(volumes.map((volume) => [volume.name, { kind: 'scratch' as const }])),
    release: async () => {},
    recover: async () => {},
    keep: async () => {},
    remove: async () => {},
    snapshot: async () => ({ bytes: 0 }),
    removeSnapshot: async () => {},
    usage: async () => [],
  };
}
