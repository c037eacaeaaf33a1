import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { realClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { freePort } from '#base/testing.ts';
import { failure, makeImage, makeStore, once, until } from '../../test/image/fixtures.ts';
import {
  push,
  putManifest,
  registryUser,
  startProxy,
  startRegistry,
  startTokenRegistry,
  type Proxy,
  type Server,
} from '../../test/image/registries.ts';
import type { ImagesOptions } from './images.ts';
import { mediaTypes } from './manifest.ts';
import type { PullProgress, RegistryAuth } from './types.ts';

const blobPath = /\/blobs\//;
let dir: string;
let registry: Server;
let archive: string;

const store = async (options: Partial<ImagesOptions> = {}) => {
  const made = await makeStore(dir, options);
  after(() => made.images.close());
  return made;
};
const make = async (name: string, options: Parameters<typeof makeImage>[2] = {}) => (await makeImage(dir, name, options)).path;

async function throughProxy(test: (proxy: Proxy) => Promise<void>): Promise<void> {
  const proxy = await startProxy(registry.host);
  try {
    await test(proxy);
  } finally {
    await proxy.close();
  }
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-pull-'));
  registry = await startRegistry(dir);
  archive = await make('plain');
  await push(archive, `${registry.host}/team/app:v1`);
});
after(async () => {
  await registry?.close();
  await rm(dir, { recursive: true, force: true });
});

describe('a pull from a registry', () => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    it(`unpacks layers packed with ${compression}`, async () => {
      await push(await make(compression, { compression }), `${registry.host}/packed/${compression}:latest`);
      const { images } = await store();
      const image = await images.prepare(`${registry.host}/packed/${compression}`, once);
      assert.equal(image.ref, `${registry.host}/packed/${compression}:latest`);
      assert.equal(image.layers.length, 2);
      assert.deepEqual(await readdir(image.layers[0] ?? ''), ['noise']);
      assert.equal(await readFile(join(image.layers[1] ?? '', 'etc/name'), 'utf8'), compression);
      assert.deepEqual(image.config.entrypoint, ['/bin/x']);
      assert.deepEqual(
        { ...image.config, labels: {} },
        {
          entrypoint: ['/bin/x'],
          cmd: ['a'],
          env: ['A=1'],
          workingDir: '/etc',
          user: '7',
          stopSignal: 'SIGQUIT',
          labels: {},
          exposedPorts: ['80/tcp'],
        },
      );
    });
  }

  it('asks no registry for an image that is here, and asks for the tag when told to', async () => {
    await throughProxy(async (proxy) => {
      const ref = `${proxy.host}/team/app:v1`;
      const { images, unpacker } = await store();
      const first = await images.prepare(ref, once);
      const seen = proxy.seen.length;
      assert.deepEqual(await images.prepare(ref, once), first);
      assert.deepEqual(
        (await images.prepare(`${proxy.host}/team/app@${first.digest}`, { taskId: null, check: 'always' })).layers,
        first.layers,
      );
      assert.equal(proxy.seen.length, seen);
      await images.prepare(ref, { taskId: null, check: 'always' });
      assert.deepEqual(
        proxy.seen.slice(seen).map((r) => r.method),
        ['HEAD'],
      );
      await push(await make('moved'), `${registry.host}/team/app:moving`);
      assert.equal(unpacker.unpacked.length, 2);
    });
  });

  it('follows a tag that moved, and keeps the old image for the task that uses it', async () => {
    const ref = `${registry.host}/team/moving:latest`;
    await push(await make('one'), ref);
    const { images } = await store();
    const old = await images.prepare(ref, { taskId: 't1', check: 'always' });
    await push(await make('two'), ref);
    const now = await images.prepare(ref, { taskId: 't2', check: 'always' });
    assert.notEqual(now.digest, old.digest);
    assert.deepEqual((await images.prune({ all: false })).removed, []);
    await images.unpin('t1');
    assert.deepEqual((await images.prune({ all: false })).removed, [old.digest]);
    assert.equal((await images.list()).length, 1);
  });

  it('shares one download between callers, each with its progress', async () => {
    await throughProxy(async (proxy) => {
      const { images, unpacker } = await store();
      const progress: PullProgress[][] = [[], []];
      const both = progress.map((list) => images.prepare(`${proxy.host}/team/app:v1`, { ...once, onProgress: (p) => list.push(p) }));
      const [a, b] = await Promise.all(both);
      assert.deepEqual(a, b);
      assert.equal(unpacker.unpacked.length, 2);
      assert.equal(proxy.seen.filter((r) => blobPath.test(r.path)).length, 3);
      for (const list of progress) assert.deepEqual([list.at(0)?.stage, list.at(-1)?.stage], ['resolve', 'done']);
    });
  });

  it('goes on for the others when one who waits leaves, and ends when all have left', async () => {
    await throughProxy(async (proxy) => {
      const gate = Promise.withResolvers<void>();
      const asked = Promise.withResolvers<void>();
      proxy.behave = (r) => (blobPath.test(r.path) ? (asked.resolve(), { hold: gate.promise }) : undefined);
      const { images } = await store();
      const leaver = new AbortController();
      const left = failure(images.prepare(`${proxy.host}/team/app:v1`, { ...once, signal: leaver.signal }));
      const stayed = images.prepare(`${proxy.host}/team/app:v1`, once);
      await asked.promise;
      leaver.abort();
      assert.equal((await left).code, 'Cancelled');
      gate.resolve();
      assert.equal((await stayed).layers.length, 2);
      const other = await store();
      const all = new AbortController();
      const gone = failure(other.images.prepare(`${proxy.host}/team/app:v1`, { ...once, signal: all.signal }));
      all.abort();
      assert.equal((await gone).code, 'Cancelled');
      assert.deepEqual(await other.images.list(), []);
    });
  });

  it("chooses the platform from an index, and says in AWS's words when there is none", async () => {
    const arm = await make('arm', { arch: 'arm64' });
    await push(arm, `${registry.host}/multi:arm`);
    await push(archive, `${registry.host}/multi:amd`);
    const describeTag = async (tag: string, arch: string) => {
      const response = await fetch(`http://${registry.host}/v2/multi/manifests/${tag}`, { headers: { accept: mediaTypes.ociManifest } });
      const bytes = Buffer.from(await response.arrayBuffer());
      return {
        mediaType: mediaTypes.ociManifest,
        digest: response.headers.get('docker-content-digest'),
        size: bytes.length,
        platform: { os: 'linux', architecture: arch },
      };
    };
    const manifests = [await describeTag('arm', 'arm64'), await describeTag('amd', 'amd64')];
    const index = (list: unknown[]) => JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: list });
    await putManifest(registry.host, 'multi', 'both', mediaTypes.ociIndex, index(manifests));
    await putManifest(registry.host, 'multi', 'armonly', mediaTypes.ociIndex, index(manifests.slice(0, 1)));
    const { images } = await store();
    assert.equal((await images.prepare(`${registry.host}/multi:both`, once)).digest, manifests[1]?.digest);
    for (const tag of ['arm', 'armonly']) {
      const fault = await failure(images.prepare(`${registry.host}/multi:${tag}`, once));
      assert.equal(fault.code, 'CannotPullContainer');
      assert.match(
        fault.message,
        /^CannotPullContainerError: .*image Manifest does not contain descriptor matching platform 'linux\/amd64'$/,
      );
    }
  });
});

describe('credentials', () => {
  it("are given to a registry with basic auth, from the call or from Docker's config", async () => {
    const own = await startRegistry(dir, { basicAuth: true });
    try {
      await push(archive, `${own.host}/private/app:v1`, registryUser);
      const ref = `${own.host}/private/app:v1`;
      const { images } = await store();
      const denied = await failure(images.prepare(ref, once));
      assert.match(
        denied.message,
        /^CannotPullContainerError: pull image manifest has been retried 0 time\(s\): failed to resolve ref 127\.0\.0\.1:\d+\/private\/app:v1: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials$/,
      );
      const wrong = await failure(images.prepare(ref, { ...once, auth: { username: 'berth', password: 'no' } }));
      assert.match(wrong.message, /pull access denied/);
      assert.equal((await images.prepare(ref, { ...once, auth: registryUser })).layers.length, 2);
      const dockerConfigPath = join(dir, 'config.json');
      await writeFile(
        dockerConfigPath,
        JSON.stringify({ auths: { [own.host]: { auth: Buffer.from('berth:s3cret').toString('base64') } } }),
      );
      assert.equal((await (await store({ dockerConfigPath })).images.prepare(ref, once)).layers.length, 2);
    } finally {
      await own.close();
    }
  });

  it('are asked of each task that starts what came with those of another, and again after a while', async () => {
    const own = await startRegistry(dir, { basicAuth: true });
    const proxy = await startProxy(own.host);
    let away = false;
    try {
      await push(archive, `${own.host}/guarded/app:v1`, registryUser);
      const ref = `${proxy.host}/guarded/app:v1`;
      let later = 0;
      const clock = { ...realClock(), now: () => Date.now() + later };
      const { images } = await store({ clock });
      const start = (name: string, auth?: RegistryAuth) =>
        images.prepare(name, { taskId: 't', check: 'if-missing', ...(auth === undefined ? {} : { auth }) });
      const asked = () => proxy.seen.splice(0).map(({ method }) => method);
      const { digest } = await start(ref, registryUser);
      asked();
      await start(ref, registryUser);
      assert.deepEqual(asked(), []);
      const others: [string, RegistryAuth?][] = [
        [ref],
        [ref, { username: 'berth', password: 'no' }],
        [`${proxy.host}/guarded/app@${digest}`],
      ];
      for (const other of others) assert.match((await failure(start(...other))).message, /: pull access denied, repository does not exist/);
      asked();
      later += limits.registryProofMs;
      await Promise.all([start(ref, registryUser), start(ref, registryUser)]);
      assert.deepEqual(asked(), ['HEAD']);
      later += limits.registryProofMs;
      proxy.behave = () => ({ status: 403 });
      assert.match((await failure(start(ref, registryUser))).message, /pull access denied/);
      proxy.behave = () => undefined;
      await start(ref, registryUser);
      // A registry that is away stops nobody whom it knew.
      away = true;
      await proxy.close();
      later += limits.registryProofMs;
      await start(ref, registryUser);
      assert.match((await failure(start(ref))).message, /failed to resolve ref/);
      assert.equal((await images.prepare(ref, once)).layers.length, 2);
    } finally {
      await own.close();
      if (!away) await proxy.close();
    }
  });

  it('are not asked for a digest that another tag has for everybody', async () => {
    const own = await startRegistry(dir, { basicAuth: true });
    try {
      const repository = `${own.host}/guarded/twice`;
      for (const tag of ['v1', 'v2']) await push(archive, `${repository}:${tag}`, registryUser);
      const { images } = await store({});
      const wish = { check: 'if-missing', auth: registryUser } as const;
      const { digest } = await images.prepare(`${repository}:v1`, { ...wish, taskId: 't' });
      await assert.rejects(images.prepare(`${repository}@${digest}`, { taskId: 'u', check: 'if-missing' }), /pull access denied/);
      await images.prepare(`${repository}:v2`, { ...wish, taskId: null });
      assert.equal((await images.prepare(`${repository}@${digest}`, { taskId: 'u', check: 'if-missing' })).digest, digest);
    } finally {
      await own.close();
    }
  });

  it('buy a token where the registry wants one, also anonymously, and a new one when it runs out', async () => {
    for (const [users, auth] of [
      [null, undefined],
      [{ berth: 's3cret' }, registryUser],
    ] as const) {
      const front = await startTokenRegistry(registry.host, { users, callsPerToken: 2 });
      try {
        const { images } = await store();
        const image = await images.prepare(`${front.host}/team/app:v1`, { ...once, ...(auth === undefined ? {} : { auth }) });
        assert.equal(image.layers.length, 2);
        assert.ok(front.tokensGiven.length >= 2);
        if (users !== null)
          assert.match(
            (await failure((await store()).images.prepare(`${front.host}/team/app:v1`, once))).message,
            /pull access denied, repository does not exist/,
          );
      } finally {
        await front.close();
      }
    }
  });

  it('may be an identity token, also from a credential helper', async () => {
    const front = await startTokenRegistry(registry.host, { users: {}, refreshToken: 'refresh-me' });
    const helper = join('/usr/local/bin', `docker-credential-berthtest${process.pid}`);
    try {
      await writeFile(
        helper,
        `#!/bin/sh\nread server\n[ "$1 $server" = "get ${front.host}" ] && echo '{"Username":"<token>","Secret":"refresh-me"}'\n`,
        { mode: 0o755 },
      );
      const dockerConfigPath = join(dir, 'helper.json');
      await writeFile(dockerConfigPath, JSON.stringify({ credHelpers: { [front.host]: `berthtest${process.pid}` } }));
      assert.equal((await (await store({ dockerConfigPath })).images.prepare(`${front.host}/team/app:v1`, once)).layers.length, 2);
      await writeFile(dockerConfigPath, JSON.stringify({ credsStore: 'not-there' }));
      const fault = await failure((await store({ dockerConfigPath })).images.prepare(`${front.host}/team/app:v1`, once));
      assert.match(fault.message, /credential helper docker-credential-not-there gave nothing for .*it is not installed/);
    } finally {
      await rm(helper, { force: true });
      await front.close();
    }
  });

  it('do not follow a redirect to another host', async () => {
    await throughProxy(async (elsewhere) => {
      await throughProxy(async (proxy) => {
        proxy.behave = (r) =>
          blobPath.test(r.path) ? { status: 307, headers: { location: `http://${elsewhere.host}${r.path}` } } : undefined;
        elsewhere.behave = () => undefined;
        const front = await startTokenRegistry(proxy.host, { users: null });
        try {
          assert.equal((await (await store()).images.prepare(`${front.host}/team/app:v1`, once)).layers.length, 2);
          assert.equal(elsewhere.seen.length, 3);
          assert.ok(elsewhere.seen.every((r) => r.headers.authorization === undefined));
        } finally {
          await front.close();
        }
      });
    });
  });
});

describe('a bad line or a bad registry', () => {
  it('resumes a blob where the connection was cut', async () => {
    await throughProxy(async (proxy) => {
      let cuts = 0;
      proxy.behave = (r) => (blobPath.test(r.path) && cuts < 4 && ++cuts > 1 ? { cutAfter: 200_000 } : undefined);
      assert.equal((await (await store()).images.prepare(`${proxy.host}/team/app:v1`, once)).layers.length, 2);
      assert.ok(
        proxy.seen.some((r) => /^bytes=\d{5,}-$/.test(r.headers.range ?? '')),
        JSON.stringify(proxy.seen.map((r) => r.headers.range)),
      );
    });
  });

  it('begins anew where the registry knows no ranges', async () => {
    await throughProxy(async (proxy) => {
      let cuts = 0;
      proxy.behave = (r) =>
        !blobPath.test(r.path)
          ? undefined
          : r.headers.range !== undefined
            ? { ignoreRange: true }
            : cuts++ < 2
              ? { cutAfter: 150 }
              : undefined;
      assert.equal((await (await store()).images.prepare(`${proxy.host}/team/app:v1`, once)).layers.length, 2);
    });
  });

  it('refuses bytes that are not what their digest says, and leaves nothing', async () => {
    await throughProxy(async (proxy) => {
      proxy.behave = (r) => (blobPath.test(r.path) ? { corruptAt: 70 } : undefined);
      const { images, at } = await store();
      const fault = await failure(images.prepare(`${proxy.host}/team/app:v1`, once));
      assert.equal(fault.code, 'CannotPullContainer');
      assert.match(fault.message, /unexpected (commit )?digest sha256:[0-9a-f]+, expected sha256:/);
      assert.deepEqual(
        [await readdir(join(at, 'layers')), await readdir(join(at, 'tmp')), await readdir(join(at, 'blobs/sha256'))],
        [[], [], []],
      );
      proxy.behave = () => undefined;
      assert.equal((await images.prepare(`${proxy.host}/team/app:v1`, once)).layers.length, 2);
    });
  });

  it('tries again after 500, 429 and a cut, and gives up in time', async () => {
    await throughProxy(async (proxy) => {
      let bad = 0;
      proxy.behave = () => [{ status: 500 }, { status: 429, headers: { 'retry-after': '0' } }, { cutAfter: 10 }][bad++];
      assert.equal((await (await store()).images.prepare(`${proxy.host}/team/app:v1`, once)).layers.length, 2);
      proxy.behave = () => ({
        status: 429,
        headers: { 'retry-after': '60' },
        body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
      });
      const fault = await failure((await store()).images.prepare(`${proxy.host}/team/app:v1`, once));
      assert.match(fault.message, /429 - Server message: toomanyrequests: slow down$/);
    });
  });

  it('says so when the disk is full, and leaves nothing', async () => {
    const mount = await mkdtemp(join(dir, 'small-'));
    await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=900k', 'tmpfs', mount]);
    const { images, at } = await makeStore(mount);
    try {
      const fault = await failure(images.prepare(`${registry.host}/team/app:v1`, once));
      assert.match(fault.message, /^CannotPullContainerError: .*: no space left on device/);
      assert.deepEqual(await images.list(), []);
      await until('nothing is left of it', async () => (await readdir(join(at, 'tmp'))).length === 0);
    } finally {
      await images.close();
      await promisify(execFile)('umount', ['-l', mount]);
    }
  });

  it('says what AWS says when there is no such image, no such host, nobody there', async () => {
    const { images } = await store();
    const port = await freePort();
    const cases: [string, RegExp][] = [
      [
        `${registry.host}/nope:latest`,
        /^CannotPullContainerError: pull image manifest has been retried 1 time\(s\): failed to resolve ref 127\.0\.0\.1:\d+\/nope:latest: not found$/,
      ],
      [
        `127.0.0.1:${port}/app`,
        /^CannotPullContainerError: pull image manifest has been retried 1 time\(s\): failed to resolve ref 127\.0\.0\.1:\d+\/app:latest: failed to do request: Get "http:.*": dial tcp 127\.0\.0\.1:\d+: connect: connection refused$/,
      ],
      ['no-such-host.invalid/app', /dial tcp: lookup no-such-host\.invalid: /],
      ['berth.local/app', /failed to resolve ref berth\.local\/app:latest: not found/],
      ['team/UPPER', /^CannotPullContainerError: .*invalid reference format/],
    ];
    for (const [ref, text] of cases) {
      const startedAt = performance.now();
      const fault = await failure(images.prepare(ref, once));
      assert.equal(fault.code, 'CannotPullContainer');
      assert.match(fault.message, text);
      assert.ok(performance.now() - startedAt < 5000, ref);
    }
  });

  it('refuses what is no image: schema 1, artifacts, an ambiguous document', async () => {
    const config = { mediaType: mediaTypes.ociConfig, digest: `sha256:${'0'.repeat(64)}`, size: 2 };
    const cases: [unknown, RegExp][] = [
      [{ schemaVersion: 1, fsLayers: [] }, /schema 1, which is no longer supported/],
      [
        {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' },
          layers: [],
        },
        /not a container image but an artifact/,
      ],
      [{ schemaVersion: 2, config, layers: [], manifests: [] }, /both an image manifest and an index/],
      ['text', /is not a JSON object/],
    ];
    await throughProxy(async (proxy) => {
      for (const [body, text] of cases) {
        proxy.behave = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
        assert.match((await failure((await store()).images.prepare(`${proxy.host}/team/app:v1`, once))).message, text);
      }
    });
  });
});

describe('what a store holds', () => {
  it('is there after a restart, with its pins; half-done work is gone', async () => {
    const { images, at, open } = await store();
    const ref = `${registry.host}/team/app:v1`;
    const image = await images.prepare(ref, { taskId: 'live', check: 'if-missing' });
    await images.prepare(ref, { taskId: 'dead', check: 'if-missing' });
    await mkdir(join(at, 'tmp', 'half'), { recursive: true });
    await mkdir(join(at, 'layers', '0123'), { recursive: true });
    await writeFile(join(at, 'catalog.jsonl'), '{"t":"pin","task":"to', { flag: 'a' });
    await images.close();
    const again = open();
    await again.recover(['live']);
    const [listed] = await again.list();
    assert.deepEqual([listed?.usedBy, listed?.refs], [['live'], [ref]]);
    assert.deepEqual(await again.prepare(ref, once), image);
    assert.deepEqual(await readdir(join(at, 'tmp')), []);
    assert.equal((await readdir(join(at, 'layers'))).length, 4);
    const conflict = await failure(again.remove(ref));
    assert.equal(conflict.code, 'Conflict');
    await again.unpin('live');
    assert.ok((await again.remove(ref)).freedBytes > 1024 * 1024);
    assert.equal((await failure(again.remove(ref))).code, 'ResourceNotFound');
    assert.deepEqual(await readdir(join(at, 'layers')), []);
    await again.close();
  });
});
