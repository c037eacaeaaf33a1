/**
 * What a file or directory is that somebody wants to import: told by its content, never by its name. Its members are staged as files of
 * our own naming, so nothing in an archive can name a place outside.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Compression } from './manifest.ts';
import { readTar, type TarEntry } from './tar-reader.ts';
import { walkTree } from './tree-walk.ts';

/** A member of an image archive: a file on disk and the digest of its bytes. */
export type Member = { path: string; size: number; sha256: string };

export type Archive = {
  /** By the name in the archive, without a leading `./`; links are resolved. Throws InvalidParameter when it isn't there. */
  member(name: string): Promise<Member>;
  has(name: string): boolean;
  /** Removes what was staged. */
  dispose(): Promise<void>;
};

export type Opened = { kind: 'image'; archive: Archive } | { kind: 'rootfs'; compression: Compression };

type StageOptions = { tempPath(): string; onBytes(bytes: number): void };
/** Names that only image archives have. */
const imageNames =
  /^(?:oci-layout|index\.json|manifest\.json|config\.json|repositories|blobs(?:\/.*)?|(?:sha256:)?[0-9a-z]{32,64}(?:\.json|\.tar|\.tar\.gz|\/.*)?)$/;

const listNames = ['oci-layout', 'index.json', 'manifest.json'];
const rootNames = /^(?:bin|boot|dev|etc|home|lib|lib64|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)(?:\/|$)/;
const DECIDING_NAMES = 8;

export function archiveFault(message: string): Fault {
  return new Fault('InvalidParameter', message, { details: { kind: 'archive' } });
}

/** Throws InvalidParameter when it is nothing that can be imported. */
export async function openArchive(path: string, options: StageOptions): Promise<Opened> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Fault('ResourceNotFound', `there is no ${path}`) : error;
  });
  if (info.isDirectory()) return { kind: 'image', archive: await openDirectory(path) };
  if (!info.isFile()) throw archiveFault(`${path} is neither a file nor a directory`);
  if (info.size > limits.importBytes) throw archiveFault(`${path} has ${info.size} bytes, more than ${limits.importBytes}`);
  const compression = await compressionOf(path);
  if (!(await isImageArchive(path, compression))) return { kind: 'rootfs', compression };
  return { kind: 'image', archive: await stageArchive(path, compression, options) };
}

/** By the first bytes (RFC 1952, RFC 8878); throws on packings that are not supported. */
export async function compressionOf(path: string): Promise<Compression> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
    const magic = buffer.subarray(0, bytesRead).toString('hex');
    if (magic.startsWith('1f8b')) return 'gzip';
    if (magic.startsWith('28b52ffd')) return 'zstd';
    if (magic.startsWith('fd377a585a00') || magic.startsWith('425a68')) {
      throw archiveFault(
        `${path} is packed with ${magic.startsWith('fd') ? 'xz' : 'bzip2'}: unpack it first (gzip, zstd and plain tars are read)`,
      );
    }
    return 'none';
  } finally {
    await file.close();
  }
}

function tarStream(path: string, compression: Compression): AsyncIterable<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1024 * 1024 });
  if (compression === 'none') return file;
  const unpacker = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  return (async function* () {
    try {
      yield* pipeline(file, unpacker, () => undefined) as AsyncIterable<Buffer>;
    } catch (error) {
      throw archiveFault(`${path} is damaged: ${(error as Error).message}`);
    } finally {
      file.destroy();
    }
  })();
}

/** The first names decide: image archives have names of their own, or the list that only they have and nothing of a root directory. */
async function isImageArchive(path: string, compression: Compression): Promise<boolean> {
  const names: string[] = [];
  await readTar(tarStream(path, compression), async (entry) => {
    const name = cleanName(entry.name);
    if (name !== '') names.push(name);
    return names.length < DECIDING_NAMES;
  });
  if (names.length === 0) throw archiveFault(`${path} is an empty archive`);
  if (names.every((name) => imageNames.test(name))) return true;
  return names.some((name) => listNames.includes(name)) && !names.some((name) => rootNames.test(name));
}

function cleanName(name: string): string {
  return posix.normalize(`/${name}`).slice(1).replace(/\/$/, '');
}

async function stageArchive(path: string, compression: Compression, options: StageOptions): Promise<Archive> {
  const members = new Map<string, Member>();
  const links = new Map<string, string>();
  let entries = 0;
  let total = 0;
  const dispose = async (): Promise<void> => {
    for (const member of new Set(members.values())) await rm(member.path, { force: true });
  };
  try {
    await readTar(tarStream(path, compression), async (entry, content) => {
      if (++entries > limits.archiveEntries) throw archiveFault(`${path} has more than ${limits.archiveEntries} entries`);
      const name = cleanName(entry.name);
      const link = linkTarget(entry, name);
      if (link !== null) links.set(name, link);
      if (entry.type !== 'file') return;
      total += entry.size;
      if (total > limits.importBytes) throw archiveFault(`${path} unpacks to more than ${limits.importBytes} bytes`);
      const old = members.get(name);
      members.set(name, await stage(content, options));
      if (old !== undefined) await rm(old.path, { force: true });
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  const resolve = (name: string): Member | undefined => {
    // A chain of links is short (docker save has one); a ring of them is nothing.
    let at = name;
    for (let hops = 0; hops < 8 && !members.has(at); hops++) at = links.get(at) ?? at;
    return members.get(at);
  };
  return {
    has: (name) => resolve(name) !== undefined,
    async member(name) {
      const member = resolve(cleanName(name));
      if (member === undefined) throw archiveFault(`the archive names ${JSON.stringify(name)}, which is not in it`);
      return member;
    },
    dispose,
  };
}

/** Where a link inside the archive points to, as a name inside the archive. */
function linkTarget(entry: TarEntry, name: string): string | null {
  if (entry.type === 'link') return cleanName(entry.linkName);
  if (entry.type === 'symlink') return cleanName(posix.join(posix.dirname(name), entry.linkName));
  return null;
}

async function stage(content: AsyncIterable<Buffer>, options: StageOptions): Promise<Member> {
  const path = options.tempPath();
  const hash = createHash('sha256');
  let size = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten;
      size += chunk.length;
      options.onBytes(chunk.length);
    }
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
  await file.close();
  return { path, size, sha256: hash.digest('hex') };
}

/** An OCI layout (or an unpacked docker archive) on disk: read where it lies, links that leave it are refused. */
async function openDirectory(root: string): Promise<Archive> {
  const base = await realpath(root);
  const names = new Set<string>();
  for await (const name of walkTree(base)) {
    if (names.size >= limits.archiveEntries) throw archiveFault(`${root} has more than ${limits.archiveEntries} files`);
    names.add(name);
  }
  if (!names.has('index.json') && !names.has('manifest.json')) {
    throw archiveFault(
      `${root} is a directory but no OCI layout (it has no index.json) and no docker archive: to import files, pack them as a tar`,
    );
  }
  return {
    has: (name) => names.has(name),
    async member(name) {
      const path = await realpath(join(base, cleanName(name))).catch(() => '');
      if (!path.startsWith(base + sep)) throw archiveFault(`the image names ${JSON.stringify(name)}, which is not in ${root}`);
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        size += chunk.length;
      }
      return { path, size, sha256: hash.digest('hex') };
    },
    dispose: async () => undefined,
  };
}

/** A small member's bytes. */
export async function readMember(archive: Archive, name: string): Promise<Buffer> {
  const member = await archive.member(name);
  if (member.size > limits.manifestBytes)
    throw archiveFault(`${name} in the archive has ${member.size} bytes, more than ${limits.manifestBytes}`);
  return readFile(member.path);
}
