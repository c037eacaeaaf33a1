/** Images that the end-to-end tests run: made on the spot from Debian's packages, kept for the next test. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { buildBusyboxImage, buildNginxImage } from '#image/debian-images.ts';
import { root } from './platform.ts';
import type { Platform } from './platform.ts';

const cacheDir = join(root, '.berth/cache');
const options = { clock: realClock(), platform: { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' }, cacheDir } as const;

/** Path of an OCI layout with a static busybox. */
export async function busyboxArchive(): Promise<string> {
  mkdirSync(cacheDir, { recursive: true });
  return (await buildBusyboxImage(options)).path;
}

/** Path of an OCI layout with Debian's nginx, which exposes port 80. */
export async function nginxArchive(): Promise<string> {
  mkdirSync(cacheDir, { recursive: true });
  return (await buildNginxImage(options)).path;
}

/** Brings busybox under the name `busybox`. */
export async function importBusybox(platform: Platform): Promise<void> {
  await platform.ok(['image', 'import', await busyboxArchive(), '--name', 'busybox']);
}

/** A plain tar of a directory's contents. */
export function tarOf(directory: string, out: string): string {
  execFileSync('tar', ['-C', directory, '-cf', out, '.']);
  return out;
}
