/** What HAProxy reads for each certificate: `ID.pem` with the certificate, its chain and its private key (HAProxy manual, `bind ... crt`). */
import { X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSecret } from './files.ts';
import { splitCertificates } from './pem.ts';

export type Bundle = { certificate: string; chain: string | null; privateKey: string };

export type BundleFiles = {
  pathOf(id: string): string;
  /** Written whole, when it isn't there as it should be. Returns whether anything changed. */
  write(id: string, bundle: Bundle): Promise<boolean>;
  /** Removes every bundle but these. */
  keepOnly(ids: ReadonlySet<string>): Promise<void>;
};

export function createBundleFiles(dir: string): BundleFiles {
  const pathOf = (id: string) => join(dir, `${id}.pem`);
  return {
    pathOf,
    async write(id, bundle) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const text = renderBundle(bundle);
      const present = await readFile(pathOf(id), 'utf8').catch(absent);
      if (present === text) return false;
      await writeSecret(pathOf(id), text);
      return true;
    },
    async keepOnly(ids) {
      for (const name of (await readdir(dir).catch(absent)) ?? []) {
        if (name.endsWith('.pem') && !ids.has(name.slice(0, -'.pem'.length))) await rm(join(dir, name), { force: true });
      }
    },
  };
}

/** A root is left out of what is sent: a client has it, or doesn't trust it. */
export function renderBundle({ certificate, chain, privateKey }: Bundle): string {
  const above = splitCertificates(chain ?? '').filter((one) => !isSelfSigned(one));
  return [certificate, ...above, privateKey].map((part) => `${part.trim()}\n`).join('');
}

function isSelfSigned(pem: string): boolean {
  const one = new X509Certificate(pem);
  return one.subject === one.issuer && one.verify(one.publicKey);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
