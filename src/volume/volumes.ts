/** The one interface of all kinds of volumes. A kind is a file of its own beside this. */
import type { VolumeSpec } from '#domain/task-spec.ts';
import type { VolumeSource } from '#domain/volume-source.ts';

export type Volumes = {
  /** Sources by volume name. Idempotent. Throws ResourceInitialization with AWS's text. */
  prepare(taskId: string, volumes: VolumeSpec[]): Promise<Record<string, VolumeSource>>;
  /** After the task's sandbox is gone. Idempotent, and safe without `prepare` and after half of one. */
  release(taskId: string, volumes: VolumeSpec[]): Promise<void>;
};

/** One kind of volume. */
export type VolumeKind<V extends VolumeSpec> = {
  prepare(taskId: string, volume: V): Promise<VolumeSource>;
  /** Of all the task's volumes of this kind, once; not called when it has none. */
  release?(taskId: string): Promise<void>;
};

/** Every kind, by its name in a spec. */
export type VolumeKinds = { [K in VolumeSpec['kind']]: VolumeKind<Extract<VolumeSpec, { kind: K }>> };

export function createVolumes(kinds: VolumeKinds): Volumes {
  const prepareOne = (taskId: string, volume: VolumeSpec) =>
    volume.kind === 'scratch' ? kinds.scratch.prepare(taskId, volume) : kinds.shared.prepare(taskId, volume);
  return {
    async prepare(taskId, volumes) {
      const sources: Record<string, VolumeSource> = {};
      for (const volume of volumes) sources[volume.name] = await prepareOne(taskId, volume);
      return sources;
    },
    async release(taskId, volumes) {
      for (const kind of new Set(volumes.map((volume) => volume.kind))) await kinds[kind].release?.(taskId);
    },
  };
}

/** For simulations: names without directories. */
export function createFakeVolumes(): Volumes {
  return {
    prepare: async (_taskId, volumes) => Object.fromEntries(volumes.map((volume) => [volume.name, { kind: 'scratch' as const }])),
    release: async () => {},
  };
}
