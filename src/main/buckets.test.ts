/** File systems that show buckets: real directories on one side, real buckets on the other, the link between them. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { handleBuckets } from '#control/buckets.ts';
import { EXPORT_AFTER_TAG } from '#domain/s3-files.ts';
import { createBucketDoors } from '#host/bucket-door.ts';
import { createUplink } from '#host/uplink.ts';
import { createBucketSystem, createRole, setS3FilesTags } from '#intent/index.ts';
import { memoryNetwork } from '#link/memory.ts';
import { DEFAULT_CHECKSUM, openObjects, type Objects } from '#objects/index.ts';
import type { BucketDoor } from '#volume/bucket/door.ts';
import type { SystemKey } from '#volume/bucket/kept.ts';
import { createBucketSync, type BucketSync } from '#volume/bucket/sync.ts';
import { account, openIamPlatform } from '../../test/iam/platform.ts';
import { createBucketCalls } from './bucket-doors.ts';

const scope = { account, region: 'us-east-1' };
const folder = mkdtempSync(join(tmpdir(), 'berth-buckets-'));
const now = [{ key: EXPORT_AFTER_TAG, value: '0' }];
let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let objects: Objects;
let doorOf: (system: SystemKey) => BucketDoor;
let uplink: ReturnType<typeof createUplink>;
let count = 0;

before(async () => {
  platform = await openIamPlatform();
  const { clock, random, store, identity } = platform;
  objects = await openObjects({ clock, random, log: silentLog }, { dir: join(folder, 'objects') });
  const network = memoryNetwork(clock);
  network.listen().onConnection((connection) => {
    handleBuckets({ store, buckets: createBucketCalls({ store, objects, identity, clock }) }, 'h', connection);
  });
  uplink = createUplink();
  uplink.set(await network.dialer().dial());
  doorOf = createBucketDoors({ uplink }).doorOf;
});
after(async () => {
  uplink.current()?.close('over');
  await objects.close();
  await platform.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A bucket, a file system of it and a host, all of their own. */
async function world(options: { prefix?: string; tags?: typeof now } = {}) {
  const { clock, random, store } = platform;
  const bucket = `shelf-${++count}`;
  const hostDir = join(folder, bucket);
  objects.createBucket({ name: bucket, ...scope, tags: [] });
  const wish = {
    clientToken: bucket,
    bucket,
    prefix: options.prefix ?? '',
    role: `arn:aws:iam::${account}:role/sync`,
    kmsKeyId: null,
    tags: options.tags ?? now,
  };
  const { key } = await createBucketSystem({ store, clock, random }, scope, wish);
  const root = join(hostDir, 'filesystems', key.id);
  const open = (door = doorOf, ticking: Clock = clock) =>
    createBucketSync({ clock: ticking, random, log: silentLog, doorOf: door }, hostDir);
  let sync: BucketSync = open();
  return {
    bucket,
    key,
    root,
    at: (path: string) => join(root, path),
    /** Both sides are looked at until there is nothing to do. */
    look: () => sync.use('t', key),
    /** Another host agent, which knows what is on disk. */
    async again(door?: (system: SystemKey) => BucketDoor, ticking?: Clock) {
      await sync.stop();
      sync = open(door, ticking);
    },
    end: () => sync.stop(),
    put: (name: string, text: string, metadata: Record<string, string> = {}) =>
      objects.put({
        bucket,
        key: name,
        headers: { contentType: 'text/plain', cacheControl: null, contentDisposition: null, contentEncoding: null, contentLanguage: null, expires: null, redirect: null, metadata, storageClass: 'STANDARD' }, // prettier-ignore
        tags: [],
        body: (async function* () {
          yield Buffer.from(text);
        })(),
        algorithm: DEFAULT_CHECKSUM,
        expected: () => ({}),
        condition: {},
      }),
    remove: (name: string) => objects.remove(bucket, [name]),
    keys: () =>
      objects.list({ bucket, prefix: '', delimiter: '', after: null, token: null, max: 1000 }).objects.map(({ key: name }) => name),
    async text(name: string) {
      const object = objects.head(bucket, name);
      const parts: Buffer[] = [];
      for await (const part of objects.read(object, 0, object.size)) parts.push(part);
      return Buffer.concat(parts).toString();
    },
    lost() {
      const dir = join(root, `.s3files-lost+found-${key.id}`);
      return existsSync(dir)
        ? readdirSync(dir).map((name) => [name.replace(/^[0-9a-f]{16}_/, ''), readFileSync(join(dir, name), 'utf8')])
        : [];
    },
    observed: async () => (await store.read((tx) => tx.bucketSystems.get(key)))?.observed.hosts['h'],
  };
}

test('objects are files, with what their metadata says; names that are no paths stay unseen in the bucket', async () => {
  const w = await world({ prefix: 'data/' });
  const posix = { 'file-permissions': '0100640', 'file-owner': '1000', 'file-group': '1001', 'file-mtime': '1600000000123000000ns' };
  await w.put('data/a/b.txt', 'hello', posix);
  await w.put('data/plain', 'x'.repeat(300_000));
  await w.put('data/link', 'a/b.txt', { 'file-permissions': '0120777' });
  await w.put('data/dir/', '', { 'file-permissions': '0040700', 'file-owner': '7', 'file-group': '8' });
  const odd = [
    'data/',
    'data/x//y',
    'data/../up',
    'data/./z',
    'data//top',
    `data/${'n'.repeat(256)}`,
    'elsewhere',
    'data/dir',
    'data/.nfs0123456789abcdef',
  ];
  for (const name of odd) await w.put(name, 'odd');
  await w.look();
  assert.deepEqual(readdirSync(w.root).toSorted(), ['a', 'dir', 'link', 'plain']);
  const { mode, uid, gid, mtimeMs } = lstatSync(w.at('a/b.txt'));
  assert.deepEqual(
    [readFileSync(w.at('a/b.txt'), 'utf8'), mode & 0o7777, uid, gid, mtimeMs],
    ['hello', 0o640, 1000, 1001, 1_600_000_000_123],
  );
  assert.deepEqual(
    [lstatSync(w.at('plain')).size, lstatSync(w.at('plain')).mode & 0o777, lstatSync(w.at('a')).mode & 0o777],
    [300_000, 0o644, 0o755],
  );
  assert.equal(readlinkSync(w.at('link')), 'a/b.txt');
  const dir = lstatSync(w.at('dir'));
  assert.deepEqual([dir.mode & 0o777, dir.uid, dir.gid], [0o700, 7, 8]);
  const keys = w.keys();
  await w.look();
  assert.deepEqual(w.keys(), keys);
  assert.deepEqual(await w.observed(), { pending: 0, hidden: 1, failure: null });
  await w.end();
});

test('files are objects: new ones, changed ones, renamed ones, links, modes and empty directories; what is gone goes', async () => {
  const w = await world();
  await w.put('kept', 'one');
  await w.look();
  mkdirSync(w.at('new/deep'), { recursive: true });
  writeFileSync(w.at('new/deep/file'), 'text');
  symlinkSync('/etc/passwd', w.at('new/link'));
  writeFileSync(w.at('kept'), 'two');
  chmodSync(w.at('new/deep'), 0o700);
  chownSync(w.at('new/deep/file'), 5, 6);
  writeFileSync(Buffer.concat([Buffer.from(`${w.root}/`), Buffer.from([0xff, 0x61])]), 'no UTF-8');
  await w.look();
  assert.deepEqual(w.keys(), ['kept', 'new/', 'new/deep/', 'new/deep/file', 'new/link']);
  assert.deepEqual([await w.text('kept'), await w.text('new/deep/file'), await w.text('new/link')], ['two', 'text', '/etc/passwd']);
  const told = (name: string) => objects.head(w.bucket, name).headers.metadata;
  assert.deepEqual(
    [told('new/deep/')['file-permissions'], told('new/link')['file-permissions'], told('new/deep/file')['file-owner']],
    ['0040700', '0120777', '5'],
  );
  assert.equal(objects.head(w.bucket, 'kept').headers.contentType, 'text/plain');
  renameSync(w.at('new'), w.at('moved'));
  chmodSync(w.at('kept'), 0o600);
  await w.look();
  assert.deepEqual(w.keys(), ['kept', 'moved/', 'moved/deep/', 'moved/deep/file', 'moved/link']);
  assert.equal(told('kept')['file-permissions'], '0100600');
  rmSync(w.at('moved'), { recursive: true });
  rmSync(w.at('kept'));
  await w.look();
  assert.deepEqual([w.keys(), w.lost()], [[], []]);
  await w.end();
});

test('of what changed on both sides the bucket is kept, and the file goes to lost and found, which stays out of the bucket', async () => {
  const w = await world({ tags: [] });
  for (const name of ['changed', 'deleted', 'equal', 'd/a']) await w.put(name, 'first');
  await w.look();
  for (const name of ['changed', 'deleted', 'equal', 'fresh']) writeFileSync(w.at(name), `mine of ${name}`);
  assert.equal(await w.text('changed'), 'first');
  await w.put('changed', 'theirs');
  await w.put('equal', 'mine of equal', { 'file-permissions': '0100644' });
  await w.put('fresh', 'theirs');
  await w.put('d', 'a file beside a directory');
  await w.remove('deleted');
  await w.look();
  const texts = ['changed', 'equal', 'fresh', 'd/a'].map((name) => readFileSync(w.at(name), 'utf8'));
  assert.deepEqual([texts, existsSync(w.at('deleted'))], [['theirs', 'mine of equal', 'theirs', 'first'], false]);
  assert.deepEqual(w.lost().toSorted(), [['changed', 'mine of changed'], ['deleted', 'mine of deleted'], ['fresh', 'mine of fresh']]); // prettier-ignore
  await w.remove('d/a');
  await w.look();
  assert.equal(readFileSync(w.at('d'), 'utf8'), 'a file beside a directory');
  writeFileSync(w.at('later'), 'waits');
  await w.look();
  assert.ok(!w.keys().some((name) => name.includes('lost+found') || name === 'later'));
  assert.equal((await w.observed())?.pending, 1);
  await setS3FilesTags(platform, scope, w.key.id, () => now);
  await w.look();
  assert.equal(await w.text('later'), 'waits');
  await w.end();
});

test('another directory in the place of the former one is not taken for one that a task emptied', async () => {
  const w = await world();
  await w.put('a', 'kept');
  await w.look();
  // As a disk does that isn't mounted, or a kill while a directory is made that went.
  const replace = () => {
    renameSync(w.root, `${w.root}.former`);
    mkdirSync(w.root);
  };
  replace();
  await w.look();
  assert.deepEqual([w.keys(), readFileSync(w.at('a'), 'utf8')], [['a'], 'kept']);
  await w.put('a', 'newer');
  await w.look();
  await w.again();
  rmSync(w.root, { recursive: true });
  renameSync(`${w.root}.former`, w.root);
  await w.look();
  assert.deepEqual([await w.text('a'), readFileSync(w.at('a'), 'utf8'), w.lost()], ['newer', 'newer', [['a', 'kept']]]);
  await w.end();
});

test('an object that was replaced in this moment is not deleted with the one before it', async () => {
  const w = await world();
  const { etag } = await w.put('a', 'old');
  // Writes are committed together: one that was asked for before may be done after the look at what is there.
  const late: Objects = {
    ...objects,
    async remove(...asked) {
      await w.put('a', 'new');
      await objects.remove(...asked);
    },
  };
  const calls = createBucketCalls({ ...platform, objects: late });
  await assert.rejects(calls.remove({ system: w.key, key: 'a', replaces: etag }), { code: 'Conflict' });
  assert.equal(await w.text('a'), 'new');
});

test('how long files take to the bucket does not keep the next look waiting', async () => {
  const { clock } = platform;
  const w = await world();
  const waits: number[] = [];
  let skewMs = 0;
  let due = Promise.withResolvers<() => void>();
  const ticking: Clock = {
    ...clock,
    now: () => clock.now() + skewMs,
    after(delayMs, fn) {
      waits.push(delayMs);
      due.resolve(fn);
      return { cancel: () => {} };
    },
  };
  const slow = (system: SystemKey): BucketDoor => {
    const door = doorOf(system);
    return { ...door, put: async (...args) => ((skewMs += 3_600_000), await door.put(...args)) };
  };
  await w.again(slow, ticking);
  await w.look();
  const tick = await due.promise;
  due = Promise.withResolvers();
  writeFileSync(w.at('large'), 'an hour of it');
  tick();
  await due.promise;
  assert.deepEqual(w.keys(), ['large']);
  assert.ok((waits.at(-1) ?? Infinity) < 60_000, `${waits}`);
  await w.end();
});

test("the file system's role must let S3 Files at the bucket; why it doesn't is told", async () => {
  const w = await world();
  await w.put('a', 'x');
  const trust = (service: string) =>
    `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"${service}"},"Action":"sts:AssumeRole"}]}`;
  const plain = { path: '/', boundary: undefined, tags: [], description: '', maxSessionSeconds: 3600 };
  await createRole(platform, { account }, { ...plain, name: 'sync', trust: trust('ecs-tasks.amazonaws.com') });
  await assert.rejects(w.look(), { code: 'AccessDenied', message: /unable to assume the role .*elasticfilesystem.amazonaws.com/ });
  assert.match((await w.observed())?.failure ?? '', /unable to assume/);
  assert.ok(!existsSync(w.at('a')));
  await w.end();
  await platform.store.write(async (tx) => {
    for (const role of await tx.iamRoles.list({})) await tx.iamRoles.delete(role.key);
  });
});

/** Every text that was ever written is told apart, so that one that is nowhere shows. */
type Step =
  | { side: 'task' | 'bucket'; name: string; what: 'write' | 'remove' | 'rename' | 'mkdir' }
  | { side: 'look' }
  | { side: 'kill'; after: number };
const names = ['a', 'b', 'a/x', 'a/y', 'a/x/z'];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ side: fc.constantFrom('task' as const, 'bucket' as const), name: fc.constantFrom(...names), what: fc.constantFrom('write' as const, 'write' as const, 'remove' as const, 'rename' as const, 'mkdir' as const) }) }, // prettier-ignore
  { weight: 3, arbitrary: fc.constant({ side: 'look' as const }) },
  { weight: 2, arbitrary: fc.record({ side: fc.constant('kill' as const), after: fc.integer({ min: 1, max: 9 }) }) },
);

test('whatever both sides do, and whenever the host is killed, they come together and nothing that was written is lost', async () => {
  const runs = Number(process.env['BERTH_RUNS'] ?? 12);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const w = await world();
      await w.look();
      const alive = new Map<string, string>();
      let texts = 0;
      for (const one of steps) {
        if (one.side === 'look') await w.look();
        else if (one.side === 'kill') await killed(w, one.after);
        else if (one.side === 'bucket') await bucketStep(w, one, `b${++texts}`);
        else taskStep(w, one, `t${++texts}`, alive);
      }
      await w.again();
      for (let n = 0; n < 3; n++) await w.look();
      await assertTogether(w);
      const everywhere = await textsOf(w);
      for (const text of alive.values())
        assert.ok(everywhere.has(text) || w.lost().some(([, found]) => found === text) || replaced.has(text), `${text} is lost`);
      await w.end();
    }),
    { numRuns: runs },
  );
});
const replaced = new Set<string>();

type World = Awaited<ReturnType<typeof world>>;
type SideStep = Extract<Step, { name: string }>;

/** What a task wrote counts until it, or the bucket after it had it, puts another thing there. */
function taskStep(w: World, { name, what }: SideStep, text: string, alive: Map<string, string>): void {
  const path = w.at(name);
  try {
    if (what === 'mkdir') return void mkdirSync(path, { recursive: true });
    if (what === 'remove') {
      rmSync(path, { recursive: true, force: true });
      for (const known of alive.keys()) if (known === name || known.startsWith(`${name}/`)) alive.delete(known);
      return;
    }
    if (what === 'rename') {
      renameSync(path, w.at('b'));
      const moved = alive.get(name);
      for (const known of alive.keys()) if (known === name || known.startsWith(`${name}/`)) alive.delete(known);
      alive.delete('b');
      if (moved !== undefined) alive.set('b', moved);
      return;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    alive.set(name, text);
  } catch {
    // A directory is in the way, or nothing is there: the task's own error.
  }
}

async function bucketStep(w: World, { name, what }: SideStep, text: string): Promise<void> {
  // What the bucket had is the bucket's own to replace.
  for (const key of w.keys()) if (key === name) replaced.add(await w.text(key));
  if (what === 'remove' || what === 'rename') await w.remove(name);
  else await w.put(what === 'mkdir' ? `${name}/` : name, what === 'mkdir' ? '' : text);
}

/** A host that dies at its Nth call: nothing of its memory is left, and what it was doing stays half done. */
async function killed(w: World, calls: number): Promise<void> {
  let left = calls;
  const dying = (system: SystemKey): BucketDoor => {
    const door = doorOf(system);
    const dies =
      <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        if (left <= 0) throw new Fault('Unavailable', 'killed');
        const early = --left === 0 && calls % 2 === 0;
        if (early) throw new Fault('Unavailable', 'killed');
        const answer = await call(...args);
        if (left === 0) throw new Fault('Unavailable', 'killed');
        return answer;
      };
    return {
      list: dies(door.list),
      head: dies(door.head),
      get: dies(door.get),
      put: dies(door.put),
      remove: dies(door.remove),
      report: dies(door.report),
    };
  };
  await w.again(dying);
  await w.look().catch(() => {});
  await w.again();
}

async function assertTogether(w: World): Promise<void> {
  const keys = w.keys();
  const directories = new Set(
    keys.flatMap((key) =>
      key
        .split('/')
        .slice(0, -1)
        .map((_, index, all) => all.slice(0, index + 1).join('/')),
    ),
  );
  const shown = keys.filter((key) => !key.endsWith('/') && !directories.has(key));
  const files = (readdirSync(w.root, { recursive: true }) as string[]).filter(
    (path) => !path.startsWith('.s3files') && lstatSync(w.at(path)).isFile(),
  );
  assert.deepEqual(files.toSorted(), shown.toSorted());
  for (const name of shown) assert.equal(readFileSync(w.at(name), 'utf8'), await w.text(name));
  for (const path of directories) assert.ok(lstatSync(w.at(path)).isDirectory(), path);
}

async function textsOf(w: World): Promise<Set<string>> {
  return new Set(await Promise.all(w.keys().map((key) => w.text(key))));
}
