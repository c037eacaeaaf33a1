/** Private keys of certificates: one file for each, named by certificate and public key, so that a new import never overwrites a key in use. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '#base/limits.ts';
import { writeSecret } from './files.ts';
import { keyMark } from './keys.ts';

export type KeyFiles = {
  /** Kept before the certificate is: a record never names a key that isn't there. */
  save(id: string, privateKey: string): Promise<void>;
  /** The key that belongs to this certificate of `id`; undefined when it isn't there. */
  find(id: string, certificate: string): Promise<string | undefined>;
  /** Removes keys that none of these certificates needs, once they are old enough to belong to no call under way. */
  sweep(inUse: readonly { id: string; certificate: string }[], now: number): Promise<void>;
};

export function createKeyFiles(dir: string): KeyFiles {
  const fileOf = (id: string, mark: string) => `${id}-${mark}.key`;
  const neededBy = ({ id, certificate }: { id: string; certificate: string }) =>
    fileOf(id, keyMark(new X509Certificate(certificate).publicKey));
  return {
    save: (id, privateKey) => writeSecret(join(dir, fileOf(id, keyMark(createPublicKey(createPrivateKey(privateKey))))), privateKey),
    async find(id, certificate) {
      return await readFile(join(dir, neededBy({ id, certificate })), 'utf8').catch(absent);
    },
    async sweep(inUse, now) {
      const needed = new Set(inUse.map(neededBy));
      for (const name of await readdir(dir)) {
        if (!/-[0-9a-f]{16}\.key(\.new)?$/.test(name) || needed.has(name)) continue;
        const path = join(dir, name);
        const found = await stat(path).catch(absent);
        if (found !== undefined && found.mtimeMs + limits.certificateKeyGraceMs < now) await rm(path, { force: true });
      }
    },
  };
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
