/** What the two sides of a file system look like to each other. Names are relative keys: a directory's ends with a slash, as its object's does. */
import type { PosixMeta } from '#domain/bucket-files.ts';

/** What of an object says that it is another one than before. */
export type Version = { etag: string; modifiedAt: number };
export type RemoteObject = Version & { size: number };

export type LocalEntry = {
  /** `other`: a pipe, a socket: never an object. */
  type: 'file' | 'symlink' | 'directory' | 'other';
  ino: string;
  /** Of what is in it and when that was written. */
  body: string;
  /** That, and when anything of it changed; as good as new bytes wherever it is another. */
  stamp: string;
  ctimeMs: number;
  size: number;
  meta: PosixMeta;
  mtimeMs: number;
};

/** What both sides had when they last agreed. `version` null: a directory that no object of its own stands for. `stamp`: a file's. `ino`: the file's, for renames. */
export type BaseEntry = { version: Version | null; stamp: string; ino: string; meta: PosixMeta };

export type Action =
  /** A directory of the bucket's. `version` null: it is one because of what is in it. */
  | { do: 'mkdir'; name: string; version: Version | null }
  /** The directory's object tells another owner or mode now. */
  | { do: 'permit'; name: string; version: Version }
  /** `body`: what may be replaced; null: nothing is there. */
  | { do: 'import'; name: string; body: string | null }
  /** Both sides changed: agreed where they are the same, else the bucket's is kept. */
  | { do: 'meet'; name: string; stamp: string; remote: RemoteObject }
  /** Out of the bucket, or in the way of a directory. */
  | { do: 'remove'; name: string; body: string }
  | { do: 'rmdir'; name: string }
  /** To lost and found. */
  | { do: 'quarantine'; name: string }
  /** `version`: of the object that it replaces; null: none is there. */
  | { do: 'export'; name: string; stamp: string; version: Version | null }
  | { do: 'delete'; name: string; version: Version }
  /** Nothing to do but to know it. */
  | { do: 'agree'; name: string; entry: BaseEntry | null };

export type SyncView = {
  base: ReadonlyMap<string, BaseEntry>;
  local: ReadonlyMap<string, LocalEntry>;
  remote: ReadonlyMap<string, RemoteObject>;
  /** When a change that has no time of its own was first seen. */
  noticed: ReadonlyMap<string, number>;
  now: number;
  exportAfterMs: number;
};

export type SyncPlan = {
  /** In the order in which they are to be done. */
  actions: Action[];
  /** What the bucket doesn't have yet, the exports among the actions included. */
  pending: number;
  /** Objects whose name is a directory's. */
  hidden: number;
  noticed: Map<string, number>;
};
