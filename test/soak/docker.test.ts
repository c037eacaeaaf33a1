/**
 * berth's own registry as Debian's docker uses it, over a dockerd of its own: what a person types by README.md, clients and processes that are killed in the
 * middle of a push, several clients with the same layers, a mirror of Debian's docker-registry, and repositories with very many images and tags.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { promisify } from 'node:util';
import { ECR, paginateDescribeImages, paginateListImages } from '@aws-sdk/client-ecr';
import { startDocker, type DockerPeer } from '../../bench/docker-peer.ts';
import { AWS } from '../e2e/aws-forks.ts';
import { script, type Sdk } from '../e2e/aws-sdk.ts';
import { openFixture } from '../e2e/fixture.ts';
import { installPackages } from '../e2e/packages.ts';
import { until, type Platform } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';
import { startRegistry } from '../image/registries.ts';

const run = promisify(execFile);
const LAYERS = 3;
const LAYER_BYTES = 48 * 1024 * 1024;
const IMAGES = Number(process.env['BERTH_SOAK_IMAGES'] ?? 6000);
const TAGS = Number(process.env['BERTH_SOAK_TAGS'] ?? 20_000);

let platform: Platform;
let sdk: Sdk;
let dir: string;
let ending: AsyncDisposableStack | undefined;
let docker: DockerPeer;
let ecr: ECR;
let registry: string;
let password: string;

before(async () => {
  installPackages({ '/usr/sbin/dockerd': 'docker.io', '/usr/bin/docker-registry': 'docker-registry', '/usr/bin/skopeo': 'skopeo' });
  ({ platform, sdk, dir, ending } = await openFixture({ busybox: false }));
  registry = `127.0.0.1:${platform.apiPort}`;
  docker = await startDocker('client');
  ending.defer(() => docker.end());
  // With the patience of who waits for a process in the place of one that was killed.
  ecr = new ECR({ ...sdk.config, maxAttempts: 20 });
  ending.defer(() => ecr.destroy());
  const words = ['--endpoint-url', sdk.config.endpoint, 'ecr', 'get-login-password'];
  password = (await platform.command(AWS, words)).stdout.trim();
  assert.equal(await docker.docker(['login', '-u', 'AWS', '-p', password, registry]), 'Login Succeeded');
});
after(() => ending?.disposeAsync());

/** Fails unless docker does, with these words. */
const refused = (args: string[], why: RegExp) =>
  assert.rejects(docker.docker(args), (error) => (assert.match((error as { stderr: string }).stderr, why), true));

/** An image of busybox that says `text`; `bytes` of it can't be compressed. */
async function build(name: string, text: string, bytes = 1000): Promise<void> {
  const context = join(dir, `context-${text}`);
  mkdirSync(context, { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'sh'));
  const layers = Array.from({ length: LAYERS }, (_, i) => `layer${i}`);
  for (const layer of layers) writeFileSync(join(context, layer), randomBytes(bytes));
  const lines = ['FROM scratch', 'COPY sh /bin/sh', ...layers.map((l) => `COPY ${l} /${l}`), `CMD ["/bin/sh", "-c", "echo ${text}"]`];
  writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
  await docker.docker(['build', '-q', '-t', name, context]);
}

async function repository(repositoryName: string, more: { imageTagMutability?: 'IMMUTABLE' } = {}): Promise<string> {
  await ecr.createRepository({ repositoryName, ...more });
  return `${registry}/${repositoryName}`;
}

const digestOf = async (name: string, imageTag: string) =>
  (await ecr.describeImages({ repositoryName: name, imageIds: [{ imageTag }] })).imageDetails?.[0]?.imageDigest ?? '';

it('docker pushes, pulls and runs, and is told what is wrong in ECR’s words', { timeout: 120_000 }, async () => {
  await build(`${registry}/shop/web:v1`, 'first');
  await refused(['push', `${registry}/shop/web:v1`], /name unknown: The repository with name 'shop\/web' does not exist in the registry/);
  const web = await repository('shop/web', { imageTagMutability: 'IMMUTABLE' });
  await docker.docker(['push', `${web}:v1`]);
  await docker.docker(['push', `${web}:v1`]);
  await build(`${web}:v1`, 'second');
  await refused(
    ['push', `${web}:v1`],
    /tag invalid: The image tag 'v1' already exists .* cannot be overwritten because the tag is immutable/,
  );
  await docker.docker(['rmi', '-f', `${web}:v1`]);
  await refused(['pull', `${web}:v2`], /manifest unknown: Requested image not found/);
  await docker.docker(['pull', `${web}:v1`]);
  assert.equal(await docker.docker(['run', '--rm', '--network', 'none', `${web}:v1`]), 'first');

  const digest = await digestOf('shop/web', 'v1');
  for (const image of [`${web}:v1`, `${web}@${digest}`]) {
    const { task, printed } = await sdk.toEnd('pushed', [script('echo in a task', { image })]);
    assert.deepEqual([printed['main'], task.containers?.[0]?.imageDigest], [['in a task'], digest], task.stoppedReason ?? '');
  }
  await docker.docker(['logout', registry]);
  await refused(['pull', `${web}:v1`], /no basic auth credentials/);
  await refused(['login', '-u', 'AWS', '-p', 'never', registry], /401 Unauthorized/);
  await docker.docker(['login', '-u', 'AWS', '-p', password, registry]);
});

it('docker makes an index of images, whose images stay as long as it', { timeout: 120_000 }, async () => {
  const many = await repository('shop/many');
  for (const arch of ['amd64', 'arm64']) {
    await build(`${many}:${arch}`, arch);
    await docker.docker(['push', `${many}:${arch}`]);
  }
  await docker.docker(['manifest', 'create', '--insecure', `${many}:all`, `${many}:amd64`, `${many}:arm64`]);
  await docker.docker(['manifest', 'annotate', '--arch', 'arm64', `${many}:all`, `${many}:arm64`]);
  await docker.docker(['manifest', 'push', '--insecure', `${many}:all`]);
  const digest = await digestOf('shop/many', 'arm64');
  const { failures } = await ecr.batchDeleteImage({ repositoryName: 'shop/many', imageIds: [{ imageDigest: digest }] });
  assert.equal(failures?.[0]?.failureCode, 'ImageReferencedByManifestList');
  await docker.docker(['pull', '-q', `${many}:all`]);
  assert.equal(await docker.docker(['run', '--rm', '--network', 'none', `${many}:all`]), 'amd64');
});

/** Bytes of uploads that are under way. */
const underWay = () => {
  const root = join(platform.state, 'registry/uploads');
  return readdirSync(root).reduce((sum, name) => sum + (statSync(join(root, name), { throwIfNoEntry: false })?.size ?? 0), 0);
};

for (const victim of ['client', 'control', 'host'] as const) {
  it(`a push is whole after the ${victim} was killed in the middle of it`, { timeout: 180_000 }, async () => {
    const image = `${await repository(`kill/${victim}`)}:v1`;
    await build(image, `kill-${victim}`, LAYER_BYTES);
    const [file = '', ...args] = docker.words(['push', image]);
    const before = underWay();
    const pushing = execFile(file, args, { timeout: 120_000 });
    const ended = new Promise<number | null>((resolve) => pushing.once('exit', resolve));
    await until('the push is under way', async () => underWay() > before + LAYER_BYTES);
    const pid = victim === 'client' ? pushing.pid : (await until('every process', async () => processesOf(platform)))[victim];
    process.kill(pid ?? 0, 'SIGKILL');
    // The daemon tries a layer again by itself.
    assert.equal(await ended, victim === 'client' ? null : 0);
    if (victim === 'client') await docker.docker(['push', image]);
    await docker.docker(['rmi', image]);
    await docker.docker(['pull', image]);
    assert.equal(await docker.docker(['run', '--rm', '--network', 'none', image]), `kill-${victim}`);
    await docker.docker(['rmi', image]);
  });
}

it('clients that push the same layers at the same time all succeed, and each blob is there once', { timeout: 180_000 }, async () => {
  const names = ['same/one', 'same/two'];
  const images = await Promise.all(names.map(async (name) => `${await repository(name)}:v1`));
  const [first = '', second = ''] = images;
  await build(first, 'same', LAYER_BYTES);
  await docker.docker(['tag', first, second]);
  const copy = ['copy', '-q', '--insecure-policy', '--tmpdir', dir, '--dest-tls-verify=false', '--dest-creds', `AWS:${password}`];
  const host = docker.words([])[4] ?? '';
  const skopeo = run('skopeo', [...copy, '--src-daemon-host', host, `docker-daemon:${first}`, `docker://${registry}/same/one:copied`]);
  await Promise.all([skopeo, ...images.map((image) => docker.docker(['push', image]))]);
  assert.equal(await digestOf('same/one', 'v1'), await digestOf('same/two', 'v1'));
  for (const image of [...images, `${registry}/same/one:copied`]) {
    await docker.docker(['rmi', '-f', image]);
    await docker.docker(['pull', image]);
    assert.equal(await docker.docker(['run', '--rm', '--network', 'none', image]), 'same');
  }
});

it('docker pulls through from another registry, and what is here also once that is away', { timeout: 120_000 }, async () => {
  const outside = await startRegistry(dir);
  ending?.defer(() => outside.close());
  await build(`${outside.host}/tools/app:v1`, 'outside');
  await docker.docker(['push', `${outside.host}/tools/app:v1`]);
  await ecr.createPullThroughCacheRule({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: outside.host });
  const image = `${registry}/hub/tools/app:v1`;
  await docker.docker(['pull', image]);
  const digest = await digestOf('hub/tools/app', 'v1');
  // ECR asks for a tag once a day.
  await build(`${outside.host}/tools/app:v1`, 'moved');
  await docker.docker(['push', `${outside.host}/tools/app:v1`]);
  await docker.docker(['pull', image]);
  assert.equal(await digestOf('hub/tools/app', 'v1'), digest);
  await outside.close();
  await docker.docker(['rmi', '-f', image]);
  await docker.docker(['pull', image]);
  assert.equal(await docker.docker(['run', '--rm', '--network', 'none', image]), 'outside');
  await refused(['pull', `${registry}/hub/tools/app:v2`], /unavailable: the upstream registry .* connection refused/);
});

it(`${IMAGES} images and ${TAGS} tags in one repository are listed page by page, each once`, { timeout: 300_000 }, async () => {
  await repository('crowd');
  const blob = Buffer.from('{}');
  const digest = sha256(blob);
  await put(`blobs/uploads/?digest=${digest}`, blob, 'POST');
  const manifest = (n: number) =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: blob.length },
      layers: [],
      annotations: { n: String(n) },
    });
  await each(IMAGES, (n) => put(`manifests/${n % 2 === 0 ? `i${n}` : sha256(manifest(n))}`, manifest(n)));
  await each(TAGS, (n) => put(`manifests/t${n}`, manifest(n % 100)));
  const tags = Math.ceil(IMAGES / 2) + TAGS;
  const bare = Math.floor(IMAGES / 2) - 50;
  const listed = new Set<string>();
  for await (const { imageIds = [] } of paginateListImages({ client: ecr }, { repositoryName: 'crowd' }))
    for (const { imageTag, imageDigest } of imageIds) listed.add(imageTag ?? imageDigest ?? '');
  assert.equal(listed.size, tags + bare);
  const described = new Set<string>();
  for await (const { imageDetails = [] } of paginateDescribeImages({ client: ecr }, { repositoryName: 'crowd' }))
    for (const { imageDigest = '' } of imageDetails) described.add(imageDigest);
  assert.equal(described.size, IMAGES);
  const { stdout } = await run('skopeo', ['list-tags', '--tls-verify=false', '--creds', `AWS:${password}`, `docker://${registry}/crowd`]);
  assert.equal((JSON.parse(stdout) as { Tags: string[] }).Tags.length, tags);
});

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function put(path: string, body: Uint8Array | string, method = 'PUT'): Promise<void> {
  const headers = { authorization: `Basic ${Buffer.from(`AWS:${password}`).toString('base64')}`, 'content-type': MANIFEST };
  const init: RequestInit = { method, body, headers };
  const answer = await fetch(`http://${registry}/v2/crowd/${path}`, init);
  assert.equal(answer.status, 201, await answer.text());
}

/** Eight at a time. */
async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next < count) await work(next++);
    }),
  );
}
