/** Files beside HAProxy's configuration: certificates are read, and the lists of them that listeners name are written. */
import { rename, stat, writeFile } from 'node:fs/promises';
import { word } from './escape.ts';
import type { ListenerSpec } from './render-listener.ts';
import type { ListenerDesired } from './types.ts';

export type CertificateFiles = {
  /** Path -> what changes when the file does. */
  files: ReadonlyMap<string, string>;
  missing: ReadonlySet<string>;
};

export async function readCertificates(listeners: readonly ListenerDesired[]): Promise<CertificateFiles> {
  const paths = new Set(listeners.flatMap((listener) => listener.tls?.certificates ?? []));
  const files = new Map<string, string>();
  const missing = new Set<string>();
  for (const path of paths) {
    try {
      const { mtimeMs, size, ino } = await stat(path);
      files.set(path, `${mtimeMs} ${size} ${ino}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      missing.add(path);
    }
  }
  return { files, missing };
}

/** Listeners that can be served: those whose default certificate is there, with the others that are. */
export function withCertificates(listeners: readonly ListenerDesired[], missing: ReadonlySet<string>): ListenerDesired[] {
  if (missing.size === 0) return [...listeners];
  return listeners.flatMap((listener) => {
    const { tls } = listener;
    if (tls === null) return [listener];
    const [standard, ...others] = tls.certificates;
    if (standard === undefined || missing.has(standard)) return [];
    return [{ ...listener, tls: { ...tls, certificates: [standard, ...others.filter((path) => !missing.has(path))] } }];
  });
}

export async function writeCertificateLists(spec: { listeners: ListenerSpec[] }): Promise<void> {
  for (const { tls, crtList } of spec.listeners) {
    if (tls !== null && crtList !== null) await writeWhole(crtList, tls.certificates.map((path) => `${word(path)}\n`).join(''));
  }
}

export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: 0o600 });
  await rename(`${path}.part`, path);
}
