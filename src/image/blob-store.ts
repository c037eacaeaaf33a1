/**
 * Small blobs by digest: manifests, configurations. DIR/blobs/ALGORITHM/HEX as in an OCI layout. Layers' blobs are not kept: unpacked
 * they serve, and a registry has them.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '#base/durable-file.ts';
import { verifyDigest } from './manifest.ts';

export type BlobStore = {
  has(digest: string): boolean;
  read(digest: string): Promise<Buffer>;
  /** `bytes` must be what `digest` names. */
  put(digest: string, bytes: Uint8Array): Promise<void>;
  lease(digest: string): () => void;
  /** Removes every blob that is neither in `used` nor leased. */
  collect(used: (digest: string) => boolean): Promise<{ freedBytes: number }>;
};

export async function openBlobStore(dir: string, tempPath: () => string): Promise<BlobStore> {
  const root = join(dir, 'blobs');
  const sizes = new Map<string, number>();
  const leases = new Map<string, number>();
  const path = (digest: string): string => join(root, digest.replace(':', '/'));
  for (const algorithm of ['sha256', 'sha512']) {
    await mkdir(join(root, algorithm), { recursive: true, mode: 0o700 });
    for (const hex of await readdir(join(root, algorithm))) {
      sizes.set(`${algorithm}:${hex}`, (await stat(join(root, algorithm, hex))).size);
    }
  }
  return {
    has: (digest) => sizes.has(digest),
    read: (digest) => readFile(path(digest)),
    async put(digest, bytes) {
      if (sizes.has(digest)) return;
      verifyDigest(bytes, digest, 'a blob');
      await writeDurably(path(digest), bytes, tempPath());
      sizes.set(digest, bytes.length);
    },
    lease(digest) {
      leases.set(digest, (leases.get(digest) ?? 0) + 1);
      return () => {
        const left = (leases.get(digest) ?? 1) - 1;
        if (left === 0) leases.delete(digest);
        else leases.set(digest, left);
      };
    },
    async collect(used) {
      let freedBytes = 0;
      const gone = [...sizes].filter(([digest]) => !used(digest) && !leases.has(digest));
      for (const [digest] of gone) sizes.delete(digest);
      for (const [digest, size] of gone) {
        // Somebody may have brought it back meanwhile.
        if (sizes.has(digest)) continue;
        await rm(path(digest), { force: true });
        freedBytes += size;
      }
      return { freedBytes };
    },
  };
}
