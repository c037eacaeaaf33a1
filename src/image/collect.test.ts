/** Pulls, imports, pins and prunes at random, all at once: what a task uses is never broken, and what nothing uses goes in the end. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { isFault } from '#base/fault.ts';
import { seededRandom } from '#base/random.ts';
import type { Images, PreparedImage } from './types.ts';
import { makeImage, makeStore, once } from '../../test/image/fixtures.ts';
import { push, startRegistry, type Server } from '../../test/image/registries.ts';

const IMAGES = 5;
let dir: string;
let registry: Server;
const archives: string[] = [];

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-collect-'));
  registry = await startRegistry(dir);
  for (let i = 0; i < IMAGES; i++) {
    // The noise is shared by two neighbours each, so that layers outlive the images they came with.
    const { path } = await makeImage(dir, `image-${i}`, { noiseBytes: 20_000 + Math.floor(i / 2) });
    archives.push(path);
    await push(path, `${registry.host}/app/${i}:latest`);
  }
});
after(async () => {
  await registry?.close();
  await rm(dir, { recursive: true, force: true });
});

const nameOf = (i: number): string => `${registry.host}/app/${i}:latest`;

/** Every layer of a prepared image is there, whole. */
async function assertWhole(image: PreparedImage, i: number): Promise<void> {
  assert.equal(image.layers.length, 2);
  assert.equal(await readFile(join(image.layers[1] ?? '', 'etc/name'), 'utf8'), `image-${i}`);
  assert.deepEqual(await readdir(image.layers[0] ?? ''), ['noise']);
}

async function oneTask(images: Images, taskId: string, i: number, hold: () => Promise<void>): Promise<void> {
  const image = await images.prepare(nameOf(i), { taskId, check: 'if-missing' });
  await assertWhole(image, i);
  await hold();
  await assertWhole(image, i);
  await images.unpin(taskId);
}

/** What may be said when a collection is faster than somebody who holds nothing. */
const expected = (error: unknown): void => {
  if (!isFault(error, 'Conflict') && !isFault(error, 'ResourceNotFound')) throw error;
};

for (const seed of [1, 2, 3, 4]) {
  it(`keeps what tasks use, seed ${seed}`, { timeout: 120_000 }, async () => {
    const random = seededRandom(seed);
    const pick = (n: number): number => Math.floor(random.fraction() * n);
    const { images, at, open } = await makeStore(dir);
    const turns = async (): Promise<void> => {
      for (let n = pick(20); n > 0; n--) await new Promise((resolve) => setImmediate(resolve));
    };
    const lane = async (laneNumber: number): Promise<void> => {
      for (let step = 0; step < 25; step++) {
        const i = pick(IMAGES);
        const wish = pick(10);
        if (wish < 5) await oneTask(images, `task-${laneNumber}-${step}`, i, turns);
        else if (wish < 7) await images.prune({ all: wish === 6 });
        else if (wish === 7) await images.remove(nameOf(i)).catch(expected);
        else if (wish === 8) await images.importArchive(archives[i] ?? '', `berth.local/app-${i}`);
        else {
          const leave = new AbortController();
          const started = images.prepare(nameOf(i), { taskId: `gone-${laneNumber}-${step}`, check: 'if-missing', signal: leave.signal });
          void turns().then(() => leave.abort());
          await started.catch((error: unknown) => assert.ok(isFault(error, 'Cancelled'), String(error)));
          await images.unpin(`gone-${laneNumber}-${step}`);
        }
        await turns();
      }
    };
    try {
      await Promise.all([0, 1, 2, 3].map(lane));
      const held = await images.prepare(nameOf(0), { taskId: 'last', check: 'if-missing' });
      await images.prune({ all: true });
      await assertWhole(held, 0);
      assert.deepEqual(
        (await images.list()).map((image) => image.usedBy),
        [['last']],
      );
      await images.close();
      const again = open();
      await again.recover(['last']);
      await assertWhole(await again.prepare(nameOf(0), once), 0);
      await again.unpin('last');
      await again.prune({ all: true });
      const left = await Promise.all(['layers', 'tmp', 'blobs/sha256'].map((name) => readdir(join(at, name))));
      assert.deepEqual(left, [[], [], []]);
      await again.close();
    } finally {
      await rm(at, { recursive: true, force: true });
    }
  });
}
