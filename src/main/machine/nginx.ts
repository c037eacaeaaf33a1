/** The demo's image where no registry can be reached: built from the distribution's own nginx package. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { buildNginxImage } from '#image/debian-images.ts';
import { registryReachable } from '#image/reachable.ts';
import { home } from '../paths.ts';

const REGISTRY = 'docker.io';
const REGISTRY_WITHIN_MS = 2000;

export async function dockerHubAnswers(clock: Clock): Promise<boolean> {
  return (await registryReachable(clock, REGISTRY, { timeoutMs: REGISTRY_WITHIN_MS, proxyEnv: process.env })).reachable;
}

export async function buildNginx(clock: Clock, progress: (detail: string) => void): Promise<{ path: string; ref: string }> {
  const cacheDir = join(home, '.berth/cache');
  mkdirSync(cacheDir, { recursive: true });
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return buildNginxImage({ clock, platform: { os: 'linux', arch }, cacheDir, onStep: progress });
}
