import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { SharedVolume } from '#domain/shared-volume.ts';
import { createSharedVolumes } from './shared.ts';

const dir = mkdtempSync(join(tmpdir(), 'berth-shared-'));
const volumes = createSharedVolumes(dir);
const inside = (...parts: string[]) => join(dir, 'filesystems/fs-1', ...parts);
const volume = (path: string, creation: { uid: number; gid: number; permissions: string } | null = null): SharedVolume => ({
  name: 'a volume/..',
  kind: 'shared',
  fileSystemId: 'fs-1',
  rootDirectory: '/',
  accessPointId: null,
  found: { kind: 'directory', path, creation },
});
after(async () => {
  for (const task of ['a', 'b', 'c']) await volumes.release(task);
  rmSync(dir, { recursive: true, force: true });
});
const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(dir);

test('tasks see what others write, and it outlives them', async () => {
  const [a, b] = [await volumes.prepare('a', volume('/')), await volumes.prepare('b', volume('/'))];
  writeFileSync(join(a, 'file'), 'from a');
  assert.equal(readFileSync(join(b, 'file'), 'utf8'), 'from a');
  assert.equal(await volumes.prepare('a', volume('/')), a);
  await volumes.release('a');
  await volumes.release('b');
  await volumes.release('b');
  assert.ok(!mounted() && !existsSync(a));
  assert.equal(readFileSync(join(await volumes.prepare('c', volume('/')), 'file'), 'utf8'), 'from a');
  await volumes.release('c');
});

test('a root directory must be there, unless an access point makes it as it says', async () => {
  await assert.rejects(volumes.prepare('a', volume('/app/data')), {
    code: 'ResourceInitialization',
    message:
      'ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: mounting 127.0.0.1:/app/data failed, reason given by server: No such file or directory : unsuccessful EFS utils command execution; code: 32',
  });
  const owner = { uid: 1000, gid: 1001, permissions: '2750' };
  const all = await Promise.all(['a', 'b', 'c'].map((task) => volumes.prepare(task, volume('/app/data', owner))));
  for (const place of all) {
    const { uid, gid, mode } = statSync(place);
    assert.deepEqual([uid, gid, mode & 0o7777], [1000, 1001, 0o2750]);
  }
  for (const task of ['a', 'b', 'c']) await volumes.release(task);
  assert.ok(statSync(inside('app/data')).isDirectory());
});

test('no link and no .. leads out of a file system', async () => {
  mkdirSync(inside(), { recursive: true });
  symlinkSync('/', inside('out'));
  symlinkSync('../fs-2', inside('sideways'));
  for (const path of ['/out/etc', '/out', '/sideways', '/../fs-2', '/app/../../..']) {
    await assert.rejects(volumes.prepare('a', volume(path)), /reason given by server: (Not a directory|No such file)/, path);
    await volumes.release('a');
  }
  assert.ok(!mounted());
});
