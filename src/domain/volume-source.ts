/** Where a task's volume is on its host, as a sandbox can give it to containers. */
import type { PosixUser } from './file-system.ts';
import type { VolumeFileSystem } from './volume.ts';

export type VolumeSource =
  /** A directory of the task's own disk, which the sandbox makes. */
  | { kind: 'scratch' }
  /** A directory of the host, to bind or to serve. `user`: whoever uses it does so as this one. */
  | { kind: 'directory'; path: string; user?: PosixUser | null }
  /** A file of `bytes` that a microVM gets as a disk, with the file system in it, which may be smaller. */
  | { kind: 'disk'; path: string; fileSystem: VolumeFileSystem; bytes: number };
