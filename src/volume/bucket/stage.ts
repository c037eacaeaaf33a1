/** Objects on their way in: files and links beside the file system, which go to their place whole. */
import { lchown, lutimes, open, symlink } from 'node:fs/promises';
import { Fault } from '#base/fault.ts';
import { posixOf, SYMLINK_BYTES, type ObjectPosix, type PosixMeta } from '#domain/bucket-files.ts';
import type { ObjectHead } from './door.ts';

/** A file or link like the object, whole and on disk. */
export async function stage(path: string, { head, body }: { head: ObjectHead; body: AsyncIterable<Buffer> }): Promise<ObjectPosix> {
  const posix = posixOf(head.metadata, false);
  const { mode, uid, gid } = posix.meta;
  const mtime = (posix.mtimeMs ?? head.modifiedAt) / 1000;
  if (posix.type === 'symlink' && head.size > 0 && head.size <= SYMLINK_BYTES) {
    const target = await bytesOf(body, head.size);
    if (!target.includes(0)) {
      await symlink(target, path);
      await lchown(path, uid, gid);
      await lutimes(path, mtime, mtime);
      return posix;
    }
    await writeStaged(path, head, once(target), { mode, uid, gid }, mtime);
  } else await writeStaged(path, head, body, { mode, uid, gid }, mtime);
  return { ...posix, type: 'file' };
}

export async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function writeStaged(
  path: string,
  { size }: ObjectHead,
  body: AsyncIterable<Buffer>,
  { mode, uid, gid }: PosixMeta,
  mtime: number,
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    let bytes = 0;
    for await (const piece of body) {
      await file.appendFile(piece);
      bytes += piece.length;
    }
    if (bytes !== size) throw new Fault('Unavailable', `the object has ${size} bytes, of which ${bytes} came`);
    await file.chown(uid, gid);
    await file.chmod(mode);
    await file.utimes(mtime, mtime);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function bytesOf(body: AsyncIterable<Buffer>, size: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece);
  const all = Buffer.concat(pieces);
  if (all.length === size) return all;
  throw new Fault('Unavailable', `the object has ${size} bytes, of which ${all.length} came`);
}
