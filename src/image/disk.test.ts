/** Disks of images, built by the real kernel worker. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runChild } from '#base/child.ts';
import { realClock } from '#base/clock.ts';
import { createWorkerClient, type WorkerClient } from '#supervisor/worker-client.ts';
import { supervisorBinary } from '../../test/conformance/real-host.ts';
import { failure, makeImage, makeStore, once, until } from '../../test/image/fixtures.ts';
import type { DiskBuilder } from './types.ts';

const clock = realClock();
const NAME = 'berth.local/app:1';
let dir: string;
let archive: string;
let worker: WorkerClient;
let child: ChildProcess;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-disk-'));
  const socket = join(dir, 'worker.sock');
  child = spawn(supervisorBinary(), ['serve', '--socket', socket], { stdio: ['ignore', 'inherit', 'inherit'] });
  worker = createWorkerClient({ path: socket, clock });
  await worker.ping();
  archive = (await makeImage(dir, 'app', { noiseBytes: 2 * 1024 * 1024 })).path;
});
after(async () => {
  worker?.close();
  child?.kill('SIGTERM');
  await rm(dir, { recursive: true, force: true });
});

/** A store with the image in it, and the requests that its builder got. */
async function store(below = dir, builder: DiskBuilder = worker, disksAhead = false) {
  const built: string[] = [];
  const counting: DiskBuilder = {
    erofsBuild: (request) => {
      built.push(request.into);
      return builder.erofsBuild(request);
    },
  };
  const made = await makeStore(below, { unpacker: worker, diskBuilder: counting, disksAhead });
  await made.images.importArchive(archive, NAME);
  return { ...made, built, disks: () => readdir(join(made.at, 'erofs')) };
}

test('a disk is built once, counts, and goes with its image', async () => {
  const { images, built, disks, open, at } = await store();
  const [before] = await images.list();
  assert.deepEqual(built, [], 'nobody asked for it yet');
  const image = await images.prepare(NAME, { taskId: 'task', check: 'if-missing' });
  const paths = await Promise.all([images.disk(image), images.disk(image), images.disk(image)]);
  const path = join(at, 'erofs', `${image.digest.replace(':', '-')}.erofs`);
  assert.deepEqual(paths, [path, path, path]);
  assert.deepEqual(built, [path]);
  const { size, mode } = await stat(path);
  assert.equal(mode & 0o777, 0o444);
  assert.ok(size > 2 * 1024 * 1024);
  const [listed] = await images.list();
  assert.equal(listed?.unpackedBytes, (before?.unpackedBytes ?? 0) + size);
  assert.equal((await runChild(clock, 'fsck.erofs', [path], { timeoutMs: 10_000 })).code, 0);

  await images.close();
  await writeFile(join(at, 'erofs', 'sha256-00.erofs.new'), 'half a disk');
  await writeFile(join(at, 'erofs', `sha256-${'0'.repeat(64)}.erofs`), 'the disk of an image that is gone');
  const again = open();
  await again.recover(['task']);
  assert.equal(await again.disk(image), path);
  assert.deepEqual(built, [path], 'it was there');
  assert.deepEqual(await disks(), [`${image.digest.replace(':', '-')}.erofs`]);
  await again.prune({ all: true });
  assert.ok(existsSync(path), 'a task uses it');
  await again.unpin('task');
  const { freedBytes } = await again.prune({ all: true });
  assert.ok(freedBytes > 2 * size - 100_000, `${freedBytes} of layers and disk`);
  assert.deepEqual(await disks(), []);
  assert.equal((await failure(again.disk(image))).code, 'ResourceNotFound');
  await again.close();
});

test('an image that is removed while its disk is built leaves none', async () => {
  const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const held: DiskBuilder = {
    async erofsBuild(request) {
      asked.resolve();
      await gate.promise;
      return await worker.erofsBuild(request);
    },
  };
  const { images, disks, at } = await store(dir, held);
  const disk = failure(images.disk(await images.prepare(NAME, once)));
  await asked.promise;
  await images.remove(NAME);
  // Its layers are still being read.
  assert.equal((await readdir(join(at, 'layers'))).length, 4);
  gate.resolve();
  assert.equal((await disk).code, 'ResourceNotFound');
  assert.deepEqual(await disks(), []);
  assert.deepEqual(await readdir(join(at, 'layers')), []);
  await images.close();
});

test('a full disk is said, and the next try is a new one', async (t) => {
  const small = join(dir, 'small');
  await mkdir(small);
  const mounted = await runChild(clock, 'mount', ['-t', 'tmpfs', '-o', 'size=9m', 'none', small], { timeoutMs: 10_000 });
  assert.equal(mounted.code, 0, mounted.stderr);
  t.after(() => runChild(clock, 'umount', ['-l', small], { timeoutMs: 10_000 }));
  const { images, disks } = await store(small);
  const image = await images.prepare(NAME, once);
  const { bavail, bsize } = await statfs(small);
  await writeFile(join(small, 'filler'), Buffer.alloc(bavail * bsize - 1024 * 1024));
  const fault = await failure(images.disk(image));
  assert.equal(fault.code, 'CapacityUnavailable');
  assert.match(fault.message, /disk of berth\.local\/app:1 could not be built: no space left/);
  assert.deepEqual(await disks(), []);
  await rm(join(small, 'filler'));
  assert.ok(existsSync(await images.disk(image)));
  await images.close();
});

test('told so, it builds the disk right after the image came', async () => {
  const { images, built, disks } = await store(dir, worker, true);
  await until('the disk is there', async () => (await disks()).length === 1 && built.length === 1);
  const image = await images.prepare(NAME, once);
  await images.disk(image);
  assert.equal(built.length, 1);
  await images.close();
});
