/** Volumes of tasks. `scratch`: an empty directory in the task's own, gone with it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asFault, Fault } from '#base/fault.ts';
import type { VolumeSpec } from '#domain/task-spec.ts';

export type Volumes = {
  /** Host directories by volume name; idempotent. Throws ResourceInitialization with AWS's `CannotCreateVolumeError` text. */
  prepare(taskDir: string, volumes: VolumeSpec[]): Promise<Record<string, string>>;
};

/** Owned by root with mode 0755, as AWS documents for bind mounts on Fargate; removed with the task's directory by the sandbox. */
export function createScratchVolumes(): Volumes {
  return {
    async prepare(taskDir, volumes) {
      // A volume's name may hold anything: its place in the list names the directory.
      const places = volumes.map((volume, index) => [volume.name, join(taskDir, 'volumes', String(index))] as const);
      try {
        await Promise.all(places.map(([, path]) => mkdir(path, { recursive: true, mode: 0o755 })));
      } catch (error) {
        throw new Fault('ResourceInitialization', `CannotCreateVolumeError: ${asFault(error).message}`, { cause: error });
      }
      return Object.fromEntries(places);
    },
  };
}

/** For simulations: names without directories. */
export function createFakeVolumes(): Volumes {
  return {
    prepare: async (taskDir, volumes) =>
      Object.fromEntries(volumes.map((volume, index) => [volume.name, join(taskDir, 'volumes', String(index))])),
  };
}
