/** Images, stores and expectations that the tests of the image store share. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { buildImage, type BuiltImage } from '#image/build.ts';
import { createImages, type ImagesOptions } from '#image/images.ts';
import type { DiskBuilder } from '#image/types.ts';
import { tarUnpacker } from './layer-unpacker.ts';

export const platform = { os: 'linux', arch: 'amd64' } as const;
/** Prepare without a task, from what is here. */
export const once = { taskId: null, check: 'if-missing' } as const;

export const imageConfig = {
  Entrypoint: ['/bin/x'],
  Cmd: ['a'],
  Env: ['A=1'],
  User: '7',
  WorkingDir: '/etc',
  StopSignal: 'SIGQUIT',
  ExposedPorts: { '80/tcp': {} },
};

export type MadeImage = BuiltImage & { layerDirectories: string[] };

/** An OCI archive of two layers: /etc/name with `name` in it, and /noise, which can't be packed and can be cut in the middle. */
export async function makeImage(
  dir: string,
  name: string,
  options: { compression?: 'none' | 'gzip' | 'zstd'; arch?: 'amd64' | 'arm64'; noiseBytes?: number } = {},
): Promise<MadeImage> {
  const at = await mkdtemp(join(dir, 'image-'));
  const [lower, upper] = [join(at, 'lower'), join(at, 'upper')];
  await mkdir(join(lower, 'etc'), { recursive: true });
  await mkdir(upper);
  await writeFile(join(lower, 'etc', 'name'), name);
  const noise = Buffer.alloc(options.noiseBytes ?? 1024 * 1024);
  let seed = [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7) >>> 0;
  for (let i = 0; i + 4 <= noise.length; i += 4) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    noise.writeUInt32LE(seed, i);
  }
  await writeFile(join(upper, 'noise'), noise);
  const built = await buildImage({
    directories: [lower, upper],
    config: imageConfig,
    platform: { os: 'linux', arch: options.arch ?? 'amd64' },
    out: join(at, 'image.tar'),
    name: 'latest',
    compression: options.compression ?? 'gzip',
  });
  return { ...built, layerDirectories: [lower, upper] };
}

/** For tests that are about layers only. */
const noDisks: DiskBuilder = {
  erofsBuild: async () => {
    throw new Fault('Unsupported', 'this store builds no disks');
  },
};

export async function makeStore(dir: string, options: Partial<ImagesOptions> = {}) {
  const at = await mkdtemp(join(dir, 'store-'));
  const unpacker = tarUnpacker();
  const open = () => createImages({ dir: at, unpacker, diskBuilder: noDisks, clock: realClock(), log: silentLog, platform, ...options });
  return { images: open(), at, unpacker, open };
}

/** The Fault that a promise must end with. */
export function failure(promise: Promise<unknown>): Promise<Fault> {
  return promise.then(
    () => assert.fail('it did not fail'),
    (error: unknown) => {
      assert.ok(isFault(error), String(error));
      return error;
    },
  );
}

/** Waits until a condition holds; what was given up is cleared away a moment after it was said. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    if (await condition()) return;
    await realClock().sleep(10);
  }
  assert.fail(`not within 20 s: ${what}`);
}
