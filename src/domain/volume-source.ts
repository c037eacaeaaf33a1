import type { VolumeFileSystem } from './volume.ts';

/** Where a task's volume is on its host, as a sandbox can give it to containers. */
export type VolumeSource =
  /** A directory of the task's own disk, which the sandbox makes. */
  | { kind: 'scratch' }
  /** A directory of the host, to bind. */
  | { kind: 'directory'; path: string }
  /** A file that a microVM gets as a disk, with the file system in it. */
  | { kind: 'disk'; path: string; fileSystem: VolumeFileSystem };
