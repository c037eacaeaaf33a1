import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { failure, makeImage, makeStore, once, type MadeImage } from '../../test/image/fixtures.ts';
import { directoryItems, writeTar, type TarItem } from './tar-writer.ts';

const run = promisify(execFile);
let dir: string;
let image: MadeImage;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-import-'));
  image = await makeImage(dir, 'imported');
});
after(() => rm(dir, { recursive: true, force: true }));

async function withStore(test: (store: Awaited<ReturnType<typeof makeStore>>) => Promise<void>): Promise<void> {
  const store = await makeStore(dir);
  try {
    await test(store);
    assert.deepEqual(await readdir(join(store.at, 'tmp')), []);
  } finally {
    await store.images.close();
  }
}

const file = (name: string, content: string | Buffer): TarItem => {
  const bytes = Buffer.from(content);
  return { name, type: 'file', mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0, size: bytes.length, content: [bytes] };
};
const link = (name: string, linkName: string): TarItem => ({
  name,
  type: 'symlink',
  linkName,
  mode: 0o777,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
});
let serial = 0;
async function tar(items: Iterable<TarItem> | AsyncIterable<TarItem>): Promise<string> {
  const path = join(dir, `archive-${serial++}`);
  await pipeline(Readable.from(writeTar(items)), createWriteStream(path));
  return path;
}
async function layerBytes(): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(directoryItems(image.layerDirectories[0] ?? '', { mtimeSeconds: 0 }))) chunks.push(chunk);
  return Buffer.concat(chunks);
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const configOf = (diffIds: string[], architecture = 'amd64'): string =>
  JSON.stringify({ architecture, os: 'linux', config: { Cmd: ['sh'] }, rootfs: { type: 'layers', diff_ids: diffIds } });

describe('an import', () => {
  it('takes OCI layouts and docker archives, packed or not, from tars and directories', async () => {
    const docker = join(dir, 'docker.tar');
    const layout = join(dir, 'layout');
    await run('skopeo', ['copy', '-q', '--insecure-policy', `oci-archive:${image.path}`, `docker-archive:${docker}:app:v1`]);
    await mkdir(layout);
    await run('tar', ['-xf', image.path, '-C', layout]);
    await run('gzip', ['-k', docker]);
    await run('zstd', ['-q', image.path, '-o', `${image.path}.zst`]);
    const loose = join(dir, 'loose.tar');
    await run('tar', ['-cf', loose, '-C', layout, '.']);
    for (const path of [image.path, `${image.path}.zst`, layout, loose, docker, `${docker}.gz`]) {
      await withStore(async ({ images, unpacker }) => {
        const summary = await images.importArchive(path, 'berth.local/app:v1');
        assert.deepEqual(summary.refs, ['berth.local/app:v1']);
        const ready = await images.prepare('berth.local/app:v1', { taskId: null, check: 'always' });
        assert.equal(ready.layers.length, 2, path);
        assert.equal(await readFile(join(ready.layers[1] ?? '', 'etc/name'), 'utf8'), 'imported');
        assert.deepEqual(ready.config.entrypoint, ['/bin/x']);
        await images.importArchive(path, 'berth.local/other');
        assert.equal(unpacker.unpacked.length, 2, 'known layers are not unpacked again');
        assert.equal((await images.list()).length, 1);
      });
    }
  });

  it('takes a plain root file system, packed or not', async () => {
    const plain = await tar(directoryItems(image.layerDirectories[0] ?? '', { mtimeSeconds: 0 }));
    await run('gzip', ['-k', plain]);
    for (const path of [plain, `${plain}.gz`]) {
      await withStore(async ({ images }) => {
        await images.importArchive(path, 'rootfs');
        const ready = await images.prepare('docker.io/library/rootfs', once);
        assert.deepEqual(await readdir(ready.layers[0] ?? ''), ['etc']);
        assert.deepEqual(ready.config.cmd, []);
      });
    }
  });

  it('follows the links of old docker archives', async () => {
    const layer = await layerBytes();
    const id = `sha256:${sha256(layer)}`;
    const path = await tar([
      file(`${'a'.repeat(64)}/layer.tar`, layer),
      link(`${'b'.repeat(64)}/layer.tar`, `../${'a'.repeat(64)}/layer.tar`),
      file(`${'c'.repeat(64)}.json`, configOf([id, id])),
      file(
        'manifest.json',
        JSON.stringify([
          { Config: `${'c'.repeat(64)}.json`, RepoTags: ['x:1'], Layers: ['a', 'b'].map((x) => `${x.repeat(64)}/layer.tar`) },
        ]),
      ),
    ]);
    await withStore(async ({ images }) => {
      await images.importArchive(path, 'x:1');
      assert.equal((await images.prepare('x:1', once)).layers.length, 1, 'overlayfs refuses a layer that stands twice');
    });
  });

  it('chooses among several images by name', async () => {
    const layer = await layerBytes();
    const entries = ['one', 'two'].map((name) => ({ Config: `${name}.json`, RepoTags: [`${name}:1`], Layers: ['layer.tar'] }));
    const config = (name: string): string => configOf([`sha256:${sha256(layer)}`]).replace('sh"]', `${name}"]`);
    const path = await tar([
      file('manifest.json', JSON.stringify(entries)),
      file('layer.tar', layer),
      file('one.json', config('one')),
      file('two.json', config('two')),
    ]);
    await withStore(async ({ images }) => {
      await images.importArchive(path, 'docker.io/library/two:1');
      assert.deepEqual((await images.prepare('two:1', once)).config.cmd, ['two']);
      assert.match((await failure(images.importArchive(path, 'three'))).message, /holds several images \(one:1; two:1\)/);
    });
  });
});

describe('an import refuses', () => {
  const nothingKept = async (path: string, text: RegExp, code = 'InvalidParameter'): Promise<void> =>
    withStore(async ({ images, at }) => {
      const fault = await failure(images.importArchive(path, 'berth.local/bad'));
      assert.equal(fault.code, code, fault.message);
      assert.match(fault.message, text);
      assert.deepEqual(await readdir(join(at, 'layers')), []);
      assert.deepEqual(await images.list(), []);
    });

  it('what is nothing that can be run', async () => {
    const plain = join(dir, 'plain');
    await writeFile(plain, 'this is no archive'.repeat(100));
    await nothingKept(plain, /not a tar archive: bad header at byte 0/);
    await nothingKept(dir, /is a directory but no OCI layout/);
    await nothingKept(join(dir, 'nowhere'), /there is no /, 'ResourceNotFound');
    await run('xz', ['-k', plain]);
    await nothingKept(`${plain}.xz`, /is packed with xz: unpack it first/);
    await nothingKept(await tar([]), /is an empty archive/);
    await nothingKept(await tar([file('manifest.json', '[]')]), /names no image/);
    await nothingKept(await tar([file('index.json', '{}')]), /is no image manifest/);
  });

  it('a name that is none', async () => {
    await withStore(async ({ images }) => {
      for (const name of ['Not A Name', `x@sha256:${'a'.repeat(64)}`]) {
        assert.equal((await failure(images.importArchive(image.path, name))).code, 'InvalidParameter');
      }
    });
  });

  it("an image for another architecture, in AWS's words", async () => {
    const arm = await makeImage(dir, 'arm', { arch: 'arm64' });
    await nothingKept(arm.path, /^image Manifest does not contain descriptor matching platform 'linux\/amd64'$/);
  });

  it('an archive that was cut or damaged', async () => {
    const bytes = await readFile(image.path);
    const cut = join(dir, 'cut.tar');
    await writeFile(cut, bytes.subarray(0, bytes.length / 2));
    await nothingKept(cut, /ends in the middle/);
    const damaged = join(dir, 'damaged.tar');
    const wrong = Buffer.from(bytes);
    wrong[bytes.length - 5000] = (wrong[bytes.length - 5000] ?? 0) ^ 1;
    await writeFile(damaged, wrong);
    await withStore(async ({ images }) => {
      assert.match((await failure(images.importArchive(damaged, 'x'))).message, /damaged|diff id/);
      assert.deepEqual(await images.list(), []);
    });
    const gzip = join(dir, 'damaged.gz');
    await writeFile(gzip, Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), Buffer.from('no deflate at all')]));
    await nothingKept(gzip, /is damaged/);
  });

  it('an archive that reaches out of itself', async () => {
    const secret = join(dir, 'secret.json');
    await writeFile(secret, configOf([]));
    const entry = (config: string): TarItem => file('manifest.json', JSON.stringify([{ Config: config, RepoTags: [], Layers: [] }]));
    for (const name of [secret, `../../../../..${secret}`]) await nothingKept(await tar([entry(name)]), /which is not in it/);
    await nothingKept(await tar([link('config.json', secret), entry('config.json')]), /which is not in it/);
    await nothingKept(await tar([link('config.json', 'config.json'), entry('config.json')]), /which is not in it/);
    const layout = await mkdtemp(join(dir, 'evil-'));
    await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
    const config = configOf([]);
    const digest = sha256(Buffer.from(config));
    await writeFile(secret, config);
    await symlink(secret, join(layout, 'blobs/sha256', digest));
    const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${digest}`, size: config.length };
    await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
    await nothingKept(layout, /which is not in/);
  });

  it('what the disk has no room for', async () => {
    const mount = await mkdtemp(join(dir, 'small-'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1500k', 'tmpfs', mount]);
    const { images, at } = await makeStore(mount);
    try {
      const fault = await failure(images.importArchive(image.path, 'berth.local/big'));
      assert.match(fault.message, /no space left on the disk of the image store/);
      assert.equal(fault.code, 'CapacityUnavailable');
      assert.deepEqual([await readdir(join(at, 'tmp')), await images.list()], [[], []]);
      const small = await makeImage(dir, 'small', { noiseBytes: 1000 });
      await images.importArchive(small.path, 'berth.local/small');
      assert.equal((await images.list()).length, 1);
    } finally {
      await images.close();
      await run('umount', ['-l', mount]);
    }
  });
});
