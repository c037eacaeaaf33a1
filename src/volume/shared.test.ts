import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { realClock } from '#base/clock.ts';
import type { SharedVolume } from '#domain/shared-volume.ts';
import { createSharedVolumes } from './shared.ts';

const dir = mkdtempSync(join(tmpdir(), 'berth-shared-'));
/** What the kernel worker is asked for; the real thing is tried in test/e2e/efs.test.ts. */
const asked: unknown[] = [];
let refusal: Error | null = null;
const volumes = createSharedVolumes(realClock(), dir, {
  async mount(taskId, _place, user, use) {
    if (refusal !== null) throw refusal;
    asked.push([taskId, user.uid, use]);
  },
  end: async () => {},
});
const use = { kind: 'container' as const, usersOf: () => ['', '1000:1001'] };
const prepare = async (task: string, wish: SharedVolume) => (await volumes.prepare(task, wish, use)).path;
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
  const [a, b] = [await prepare('a', volume('/')), await prepare('b', volume('/'))];
  writeFileSync(join(a, 'file'), 'from a');
  assert.equal(readFileSync(join(b, 'file'), 'utf8'), 'from a');
  assert.equal(await prepare('a', volume('/')), a);
  await volumes.release('a');
  await volumes.release('b');
  await volumes.release('b');
  assert.ok(!mounted() && !existsSync(a));
  assert.equal(readFileSync(join(await prepare('c', volume('/')), 'file'), 'utf8'), 'from a');
  await volumes.release('c');
});

test('a root directory must be there, unless an access point makes it as it says', async () => {
  await assert.rejects(prepare('a', volume('/app/data')), {
    code: 'ResourceInitialization',
    message:
      'ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: mounting 127.0.0.1:/app/data failed, reason given by server: No such file or directory : unsuccessful EFS utils command execution; code: 32',
  });
  const owner = { uid: 1000, gid: 1001, permissions: '2750' };
  const all = await Promise.all(['a', 'b', 'c'].map((task) => prepare(task, volume('/app/data', owner))));
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
    await assert.rejects(prepare('a', volume(path)), /reason given by server: (Not a directory|No such file)/, path);
    await volumes.release('a');
  }
  assert.ok(!mounted());
});

test('a POSIX user is everybody, or it is said why not', async () => {
  const user = { uid: 1000, gid: 1001, secondaryGids: [] };
  const enforced = { ...volume('/'), found: { kind: 'directory' as const, path: '/', creation: null, user } };
  const { path } = await volumes.prepare('a', enforced, use);
  assert.deepEqual(await volumes.prepare('a', enforced, use), { path, user: null });
  assert.deepEqual(asked.at(-1), ['a', 1000, { kind: 'container', users: ['', '1000:1001'] }]);
  const inMachine = await volumes.prepare('b', enforced, { ...use, kind: 'microvm' });
  assert.deepEqual([inMachine.user, asked.length], [user, 2], 'a microVM is served by NFS');
  refusal = new Error('no FUSE');
  assert.deepEqual((await volumes.prepare('c', enforced, { ...use, usersOf: () => ['1000:1001'] })).user, user);
  await assert.rejects(volumes.prepare('c', enforced, use), /enforces the POSIX user 1000:1001, which .*no FUSE.*"user": "1000:1001"/);
  refusal = null;
  await volumes.recover(['b']);
  assert.deepEqual([existsSync(path), existsSync(inMachine.path)], [false, true], 'of tasks that are gone nothing is kept');
  await volumes.release('b');
  assert.ok(!mounted());
});
