/**
 * Which file an object is, and which object a file is: S3 Files' rule, a name cut at its slashes. Pure. Names that can't be both a key and a path have
 * defined outcomes: what is no path isn't shown and stays in the bucket, what is no key isn't exported and stays in the file system.
 */
import type { PosixUser } from './file-system.ts';

/** The bucket's name of it has a trailing slash where it is a directory. `path`: parts joined by '/', never empty. */
export type BucketName = { path: string; directory: boolean };

const COMPONENT_BYTES = 255;
const KEY_BYTES = 1024;
export const SYMLINK_BYTES = 4080;

export const lostFoundName = (fileSystemId: string) => `.s3files-lost+found-${fileSystemId}`;

/** What only the file system has: where conflicts are kept, what NFS keeps of open files, a directory that is only being made. */
export function isPrivate(name: string): boolean {
  return name.startsWith('.s3files-lost+found-') || /^\.nfs[0-9a-f]{16,}$/.test(name) || name.startsWith('.berth-new-');
}

/** undefined: the object can't be shown. `prefix`: '' or one that ends with a slash. */
export function nameOfKey(prefix: string, key: string): BucketName | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const rest = key.slice(prefix.length);
  const directory = rest.endsWith('/');
  const path = directory ? rest.slice(0, -1) : rest;
  const parts = path.split('/');
  return parts.every((part) => isComponent(part) && !isPrivate(part)) ? { path, directory } : undefined;
}

/** undefined: it can't be an object. */
export function keyOfName(prefix: string, { path, directory }: BucketName): string | undefined {
  const key = `${prefix}${path}${directory ? '/' : ''}`;
  return Buffer.byteLength(key) <= KEY_BYTES ? key : undefined;
}

const isComponent = (part: string) =>
  part !== '' && part !== '.' && part !== '..' && !part.includes('\0') && part.isWellFormed() && Buffer.byteLength(part) <= COMPONENT_BYTES;

/** Every directory that a path lies in, the outermost first. */
export function ancestorsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** `mode`: permission bits, no type. */
export type PosixMeta = { mode: number; uid: number; gid: number };
export type ObjectPosix = { type: 'file' | 'directory' | 'symlink'; meta: PosixMeta; mtimeMs: number | undefined };

const TYPES = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;
const TYPE_MASK = 0o170000;
const ID_MAX = 0xffff_ffff;
/** Of objects that say nothing: root's, readable by all. */
export const defaultMeta = (directory: boolean): PosixMeta => ({ mode: directory ? 0o755 : 0o644, uid: 0, gid: 0 });

/** As user-defined metadata of an object, in the form that FSx and DataSync have for it. */
export function metadataOf(type: ObjectPosix['type'], { mode, uid, gid }: PosixMeta, mtimeMs: number): Record<string, string> {
  return {
    'file-permissions': `0${(TYPES[type] | mode).toString(8).padStart(6, '0')}`,
    'file-owner': String(uid),
    'file-group': String(gid),
    'file-mtime': `${Math.max(0, Math.trunc(mtimeMs))}000000ns`,
    'user-agent': 's3files',
  };
}

/** What is malformed counts as not said. A directory is one by its key alone. */
export function posixOf(metadata: Record<string, string>, directory: boolean): ObjectPosix {
  const fallback = defaultMeta(directory);
  const permissions = /^[0-7]{3,7}$/.test(metadata['file-permissions'] ?? '')
    ? Number.parseInt(metadata['file-permissions'] ?? '', 8)
    : undefined;
  const symlink = !directory && permissions !== undefined && (permissions & TYPE_MASK) === TYPES.symlink;
  const mtime = /^(\d{1,16})\d{6}ns$/.exec(metadata['file-mtime'] ?? '')?.[1];
  return {
    type: directory ? 'directory' : symlink ? 'symlink' : 'file',
    meta: {
      mode: permissions === undefined ? fallback.mode : permissions & 0o7777,
      uid: idOf(metadata['file-owner']) ?? fallback.uid,
      gid: idOf(metadata['file-group']) ?? fallback.gid,
    },
    mtimeMs: mtime === undefined ? undefined : Number(mtime),
  };
}

function idOf(text: string | undefined): number | undefined {
  const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  return id !== undefined && id <= ID_MAX ? id : undefined;
}

export const sameMeta = (a: PosixMeta, b: PosixMeta): boolean => a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;

/** A volume of S3 Files, as a task's spec has it. */
export type BucketVolume = {
  name: string;
  kind: 'bucket';
  account: string;
  region: string;
  fileSystemId: string;
  rootDirectory: string;
  accessPointId: string | null;
};

/** What control says when a task mounts it: whose directory, and whether its role may write. */
export type BucketMount = {
  path: string;
  creation: { uid: number; gid: number; permissions: string } | null;
  user: PosixUser | null;
  readOnly: boolean;
};
