import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { realClock } from '#base/clock.ts';
import type { BlockVolume } from '#domain/block-volume.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import { createBlockVolumes } from './block.ts';

const dir = mkdtempSync(join(tmpdir(), 'berth-block-'));
const agent = () => createBlockVolumes(realClock(), dir, null);
const volumes = agent();
const GIB = 1024 ** 3;
const nobody = () => assert.fail('no machine has it');
const tasks = ['a', 'b', 'c', 'd'];

function wish(volumeId: string, change: Partial<BlockVolume> = {}): BlockVolume {
  const from = { by: 'name' as const, volume: 'n', create: true, tags: [] };
  return { name: 'data', kind: 'block', volumeId, sizeGib: 1, fileSystem: null, snapshotId: null, from, ...change };
}
const image = (id: string) => join(dir, 'volumes', id, 'image');
/** `at`: how the place ends, of volumes alone; a volume's directory is a mount too. */
const mounts = (at = '') =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(dir) && line.includes(at)).length;
const loops = () => execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(dir)).length; // prettier-ignore
/** A mount namespace that somebody copied while a volume was mounted holds its loop device as long as it likes. */
const copied = () =>
  readdirSync('/proc').some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(dir);
    } catch {
      return false; // it ended
    }
  });
async function allGone(): Promise<void> {
  assert.equal(mounts(), 0);
  for (let tries = 0; loops() > 0 && tries < 50; tries++) await setTimeout(100);
  assert.ok(loops() === 0 || copied());
}
async function at(source: Promise<VolumeSource>): Promise<string> {
  const found = await source;
  assert.ok(found.kind === 'directory', found.kind);
  return found.path;
}
after(async () => {
  for (const task of tasks) await volumes.release(task);
  rmSync(dir, { recursive: true, force: true });
});

for (const fileSystem of ['xfs', 'ext4', 'ext3'] as const) {
  test(`${fileSystem}: made once, root's, its size; it outlives its tasks and grows in use`, async () => {
    const id = `vol-${fileSystem}`;
    const place = await at(volumes.prepare('a', wish(id, { fileSystem }), 'container'));
    const { uid, gid, mode } = statSync(place);
    assert.deepEqual([uid, gid, mode & 0o7777], [0, 0, 0o755]);
    const size = () => statfsSync(place).blocks * statfsSync(place).bsize;
    assert.ok(size() > 0.8 * GIB && size() <= GIB, `${size()}`);
    assert.ok(statSync(image(id)).blocks * 512 < 0.1 * GIB, 'it is sparse');
    writeFileSync(join(place, 'file'), 'from a');
    await volumes.release('a');
    await volumes.release('a');
    await allGone();
    assert.equal(await at(volumes.prepare('b', wish(id), 'gvisor')), place);
    assert.equal(readFileSync(join(place, 'file'), 'utf8'), 'from a');
    await volumes.keep({ id, sizeGib: 2, snapshotId: null });
    if (fileSystem === 'xfs') assert.ok(size() > 1.8 * GIB, `${size()}`);
    await assert.rejects(volumes.remove(id), { code: 'Conflict' });
    await volumes.release('b');
    await volumes.prepare('c', wish(id), 'container');
    assert.ok(size() > 1.8 * GIB, `${size()}`);
    assert.equal(readFileSync(join(place, 'file'), 'utf8'), 'from a');
    await volumes.release('c');
    await volumes.remove(id);
    assert.ok(!existsSync(image(id)));
  });
}

test('a named volume has several tasks, one made at launch has one, and what a guest wrote is never mounted', async () => {
  const [a, b] = await Promise.all(['a', 'b'].map((task) => at(volumes.prepare(task, wish('vol-n'), 'container'))));
  assert.equal(a, b);
  await volumes.release('a');
  assert.equal(mounts('/mnt '), 1);
  await assert.rejects(
    volumes.prepare('c', wish('vol-n'), 'microvm'),
    /vol-n is in use by task b, and a microVM has its volumes for itself/,
  );
  await volumes.release('b');
  const launch = { by: 'launch' as const, settings: {}, encrypted: false, kmsKeyId: null, initializationRate: null, roleArn: 'r', deleteOnTermination: true, tags: [] }; // prettier-ignore
  await volumes.prepare('a', wish('vol-l', { from: launch }), 'container');
  await assert.rejects(volumes.prepare('b', wish('vol-l', { from: launch }), 'container'), /vol-l is in use by task a/);
  await volumes.release('a');
  assert.deepEqual(await volumes.prepare('c', wish('vol-n'), 'microvm'), {
    kind: 'disk',
    path: image('vol-n'),
    fileSystem: 'xfs',
    bytes: statSync(image('vol-n')).size,
  });
  await assert.rejects(volumes.prepare('a', wish('vol-n'), 'container'), /in use by task c/);
  const held: string[] = [];
  await volumes.snapshot('vol-n', 'snap-h', (task, work) => (held.push(task), work()));
  assert.deepEqual(held, ['c']);
  await volumes.release('c');
  await assert.rejects(volumes.prepare('a', wish('vol-n'), 'container'), /was written to by a microVM/);
  await volumes.snapshot('vol-n', 'snap-g', nobody);
  await assert.rejects(volumes.prepare('a', wish('vol-g', { snapshotId: 'snap-g' }), 'container'), /was written to by a microVM/);
  await allGone();
});

test('a snapshot is the volume at one moment, of a volume in use too, and each copy goes its own way', async () => {
  const place = await at(volumes.prepare('a', wish('vol-s'), 'container'));
  writeFileSync(join(place, 'file'), 'before');
  const { bytes } = await volumes.snapshot('vol-s', 'snap-s', nobody);
  assert.ok(bytes > 0 && bytes < 0.1 * GIB, `${bytes}`);
  writeFileSync(join(place, 'file'), 'after');
  const copy = await at(volumes.prepare('b', wish('vol-t', { sizeGib: 2, snapshotId: 'snap-s' }), 'container'));
  assert.equal(readFileSync(join(copy, 'file'), 'utf8'), 'before');
  assert.ok(statfsSync(copy).blocks * statfsSync(copy).bsize > 1.8 * GIB);
  await assert.rejects(volumes.prepare('c', wish('vol-u', { snapshotId: 'snap-s', fileSystem: 'ext4' }), 'container'), /has the file system xfs, not ext4/); // prettier-ignore
  await assert.rejects(
    volumes.prepare('c', wish('vol-v', { snapshotId: 'snap-none' }), 'container'),
    /snapshot snap-none is not on this host/,
  );
  await volumes.removeSnapshot('snap-s');
  await volumes.removeSnapshot('snap-s');
  assert.deepEqual((await volumes.usage()).map(({ id }) => id).toSorted(), ['vol-g', 'vol-l', 'vol-n', 'vol-s', 'vol-t', 'vol-u']);
  for (const task of tasks) await volumes.release(task);
  await allGone();
});

test('a new agent takes back what tasks that are gone had, what was half made, and a snapshot that was cut off', async () => {
  const place = await at(volumes.prepare('a', wish('vol-k'), 'container'));
  await volumes.prepare('b', wish('vol-k'), 'container');
  await volumes.prepare('c', wish('vol-m'), 'container');
  execFileSync('fsfreeze', ['--freeze', place]);
  for (const kind of ['volumes', 'snapshots']) mkdirSync(join(dir, kind, 'half.new'), { recursive: true });
  const next = agent();
  await next.recover(['b']);
  writeFileSync(join(place, 'file'), 'it goes on');
  assert.equal(mounts('/mnt '), 1);
  for (const kind of ['volumes', 'snapshots']) assert.ok(!existsSync(join(dir, kind, 'half.new')));
  await next.recover([]);
  await allGone();
});
