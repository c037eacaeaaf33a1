/** The distribution protocol through the real gateway: what the specification's conformance suite looks at, and what becomes of a process that dies. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmdirSync, utimesSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import {
  digestOf,
  OCI_MANIFEST,
  openRegistryPlatform,
  pushBlob,
  pushImage,
  type RegistryPlatform,
} from '../../../test/registry/platform.ts';

let platform: RegistryPlatform;
before(async () => {
  platform = await openRegistryPlatform();
  for (const repositoryName of ['a/one', 'a/two']) await platform.ecr.createRepository({ repositoryName });
});
after(() => platform.close());

const v2: RegistryPlatform['v2'] = (path, init) => platform.v2(path, init);
const begin = async (repository = 'a/one') => {
  const answer = await v2(`${repository}/blobs/uploads/`, { method: 'POST' });
  assert.equal(answer.status, 202);
  return (answer.headers.get('location') ?? '').replace('/v2/', '');
};
const code = async (answer: Response) => ((await answer.json()) as { errors: { code: string }[] }).errors[0]?.code;
const chunk = (path: string, bytes: Uint8Array | string, range?: string) =>
  v2(path, { method: 'PATCH', body: bytes, ...(range === undefined ? {} : { headers: { 'content-range': range } }) });

describe('blobs', () => {
  it('come in one piece, in two steps and in chunks, and are read whole and in part', async () => {
    const bytes = Buffer.from('0123456789'.repeat(100));
    const digest = digestOf(bytes);
    const missing = await v2(`a/one/blobs/${digest}`);
    assert.deepEqual([missing.status, await code(missing)], [404, 'BLOB_UNKNOWN']);

    const upload = await begin();
    assert.deepEqual([(await v2(upload)).status, (await v2(upload)).headers.get('range')], [204, '0-0']);
    const first = await chunk(upload, bytes.subarray(0, 400), '0-399');
    assert.deepEqual([first.status, first.headers.get('range')], [202, '0-399']);
    const gap = await chunk(upload, bytes.subarray(500), '500-999');
    assert.deepEqual([gap.status, gap.headers.get('range'), await code(gap)], [416, '0-399', 'BLOB_UPLOAD_INVALID']);
    assert.equal((await chunk(upload, bytes.subarray(400, 500), '400-700')).status, 416, 'a range of other bytes than were sent');
    await chunk(upload, bytes.subarray(400, 500), '400-499');
    const other = await v2(`${upload}?digest=${digestOf('other')}`, { method: 'PUT', body: bytes.subarray(500) });
    assert.deepEqual([other.status, await code(other)], [400, 'DIGEST_INVALID']);
    const done = await v2(`${upload}?digest=${digest}`, { method: 'PUT' });
    assert.deepEqual(
      [done.status, done.headers.get('location'), done.headers.get('docker-content-digest')],
      [201, `/v2/a/one/blobs/${digest}`, digest],
    );
    assert.equal((await v2(upload)).status, 404);

    const whole = await v2(`a/one/blobs/${digest}`);
    assert.equal(await whole.text(), bytes.toString());
    const head = await v2(`a/one/blobs/${digest}`, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, '1000']);
    const part = async (range: string) => {
      const answer = await v2(`a/one/blobs/${digest}`, { headers: { range } });
      return [answer.status, answer.headers.get('content-range'), (await answer.text()).length];
    };
    assert.deepEqual(await part('bytes=10-19'), [206, 'bytes 10-19/1000', 10]);
    assert.deepEqual(await part('bytes=990-'), [206, 'bytes 990-999/1000', 10]);
    assert.deepEqual(await part('bytes=-5'), [206, 'bytes 995-999/1000', 5]);
    assert.deepEqual((await part('bytes=1000-'))[0], 416);
  });

  it('are of the repositories that have them: mounted, or not seen', async () => {
    const digest = await pushBlob(platform, 'a/one', 'shared');
    assert.equal((await v2(`a/two/blobs/${digest}`)).status, 404);
    const mounted = await v2(`a/two/blobs/uploads/?mount=${digest}&from=a/one`, { method: 'POST' });
    assert.deepEqual([mounted.status, mounted.headers.get('location')], [201, `/v2/a/two/blobs/${digest}`]);
    assert.equal(await (await v2(`a/two/blobs/${digest}`)).text(), 'shared');
    const unknown = await v2(`a/two/blobs/uploads/?mount=${digestOf('nowhere')}&from=a/one`, { method: 'POST' });
    assert.equal(unknown.status, 202, 'the client goes on and uploads');
    assert.equal((await v2(`a/two/blobs/${digest}`, { method: 'DELETE' })).status, 202);
    assert.equal((await v2(`a/two/blobs/${digest}`)).status, 404);
    assert.equal((await v2(`a/one/blobs/${digest}`)).status, 200);
  });

  it('need a repository, a name and credentials', async () => {
    const nowhere = await v2('a/none/blobs/uploads/', { method: 'POST' });
    assert.deepEqual([nowhere.status, await code(nowhere)], [404, 'NAME_UNKNOWN']);
    assert.equal(await code(await v2('A/One/manifests/x')), 'NAME_INVALID');
    assert.equal((await v2('a/one/blobs/uploads/', { method: 'POST', authorization: null })).status, 401);
    assert.equal((await v2(`${await begin()}`.replace('a/one', 'a/two'))).status, 404, 'an upload is of its repository');
  });

  it('are refused in ECR’s words once the password is past its time, and otherwise where it never was one', async () => {
    let late = 0;
    const aging = await openRegistryPlatform({ clock: { ...realClock(), now: () => Date.now() + late } });
    const [data] = (await aging.ecr.getAuthorizationToken({})).authorizationData ?? [];
    const authorization = `Basic ${data?.authorizationToken}`;
    assert.equal((await aging.v2('', { authorization })).status, 200);
    late = Number(data?.expiresAt) - Date.now();
    const over = await aging.v2('', { authorization });
    assert.equal(over.status, 403);
    const text = 'Your authorization token has expired. Reauthenticate and try again.';
    assert.deepEqual(await over.json(), { errors: [{ code: 'DENIED', message: text }] });
    assert.equal((await aging.v2('', { authorization: aging.basic('AWS', 'never') })).status, 401);
    await aging.close();
  });
});

describe('manifests', () => {
  it('are got by tag and digest, listed and deleted', async () => {
    const digest = await pushImage(platform, 'a/one', 'v1');
    for (const reference of ['v1', digest]) {
      const answer = await v2(`a/one/manifests/${reference}`);
      assert.deepEqual([answer.headers.get('content-type'), answer.headers.get('docker-content-digest')], [OCI_MANIFEST, digest]);
      assert.equal(digestOf(await answer.text()), digest);
    }
    for (const tag of ['v2', 'v3', 'v4']) await pushImage(platform, 'a/one', tag);
    const first = await v2('a/one/tags/list?n=2');
    assert.deepEqual(await first.json(), { name: 'a/one', tags: ['v1', 'v2'] });
    assert.equal(first.headers.get('link'), '</v2/a/one/tags/list?n=2&last=v2>; rel="next"');
    assert.deepEqual(((await (await v2('a/one/tags/list?n=2&last=v2')).json()) as { tags: string[] }).tags, ['v3', 'v4']);
    assert.equal((await v2('a/one/manifests/v1', { method: 'DELETE' })).status, 202);
    assert.equal((await v2('a/one/manifests/v1')).status, 404);
    assert.equal((await v2(`a/one/manifests/${digest}`)).status, 200, 'only the tag went');
    assert.equal((await v2(`a/one/manifests/${digest}`, { method: 'DELETE' })).status, 202);
    const gone = await (await v2(`a/one/manifests/${digest}`)).json();
    assert.deepEqual(gone, { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'Requested image not found' }] });
  });

  it('that are not whole, or not manifests, are refused and change nothing', async () => {
    const put = (body: string, type = OCI_MANIFEST) =>
      v2('a/one/manifests/bad', { method: 'PUT', body, headers: { 'content-type': type } });
    const lacking = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('nothing'), size: 1 },
      layers: [],
    });
    assert.equal(await code(await put(lacking)), 'MANIFEST_BLOB_UNKNOWN');
    for (const body of [
      '',
      'no',
      '[]',
      '{}',
      '{"schemaVersion":1}',
      '{"schemaVersion":2,"layers":[],"manifests":[]}',
      '{"schemaVersion":2,"layers":[]}',
    ]) {
      assert.equal(await code(await put(body)), 'MANIFEST_INVALID', body);
    }
    assert.equal(await code(await put('x'.repeat(5 * 1024 * 1024))), 'SIZE_INVALID');
    assert.equal((await v2('a/one/manifests/bad')).status, 404);
  });

  it('that speak of another are found by it', async () => {
    const subject = await pushImage(platform, 'a/two', 'signed');
    const about = (artifactType: string) => ({
      artifactType,
      subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 },
      annotations: { by: artifactType },
    });
    const one = await pushImage(platform, 'a/two', null, 'sig', about('application/x.sig'));
    const two = await pushImage(platform, 'a/two', null, 'sbom', about('application/x.sbom'));
    type Index = { manifests: { digest: string; artifactType: string; annotations: object }[] };
    const all = (await (await v2(`a/two/referrers/${subject}`)).json()) as Index;
    assert.deepEqual(all.manifests.map((entry) => entry.digest).toSorted(), [one, two].toSorted());
    const filtered = await v2(`a/two/referrers/${subject}?artifactType=application/x.sbom`);
    assert.equal(filtered.headers.get('oci-filters-applied'), 'artifactType');
    const { manifests } = (await filtered.json()) as Index;
    assert.deepEqual(
      manifests.map(({ digest, artifactType, annotations }) => ({ digest, artifactType, annotations })),
      [{ digest: two, artifactType: 'application/x.sbom', annotations: { by: 'application/x.sbom' } }],
    );
    assert.deepEqual(((await (await v2(`a/two/referrers/${digestOf('none')}`)).json()) as Index).manifests, []);
  });
});

describe('what lies on the disk', () => {
  it('is found again by the next process: uploads go on, blobs are whole', async () => {
    const first = await openRegistryPlatform();
    await first.ecr.createRepository({ repositoryName: 'a/one' });
    const bytes = Buffer.alloc(3 * 1024 * 1024, 'restart');
    const location = (await first.v2('a/one/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    await first.v2(location.slice(4), { method: 'PATCH', body: bytes.subarray(0, 2_000_000) });
    // A client that goes away in the middle of a chunk.
    const socket = connect(Number(new URL(first.endpoint).port), '127.0.0.1');
    const auth = first.basic(first.rootKey.username, first.rootKey.password);
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: ${auth}\r\nContent-Length: 99999999\r\n\r\nrest`);
    await once(socket, 'connect');
    socket.destroy();
    await first.close(false);
    const second = await openRegistryPlatform({ dir: first.dir });
    const state = await second.v2(location.slice(4));
    const at = Number(state.headers.get('range')?.split('-')[1]) + 1;
    assert.ok(at >= 2_000_000 && at <= 2_000_004, `${at}`);
    // What of the broken chunk arrived are the wrong bytes here; an upload that is begun again is good.
    const again = (await second.v2('a/one/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    await second.v2(again.slice(4), { method: 'PATCH', body: bytes.subarray(0, 2_000_000) });
    await second.close(false);
    const third = await openRegistryPlatform({ dir: first.dir });
    const done = await third.v2(`${again.slice(4)}?digest=${digestOf(bytes)}`, { method: 'PUT', body: bytes.subarray(2_000_000) });
    assert.equal(done.status, 201, 'the digest of what another process took is made anew');
    assert.equal(digestOf(Buffer.from(await (await third.v2(`a/one/blobs/${digestOf(bytes)}`)).arrayBuffer())), digestOf(bytes));
    await third.close();
  });

  it('is refused in the middle of a body to a client that goes on writing: its connection isn’t reset under it', async () => {
    const options = { floorBytes: 0 };
    const short = await openRegistryPlatform(options);
    await short.ecr.createRepository({ repositoryName: 'a/one' });
    const location = (await short.v2('a/one/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    options.floorBytes = Number.MAX_SAFE_INTEGER;
    const socket = connect(Number(new URL(short.endpoint).port), '127.0.0.1');
    const authorization = short.basic(short.rootKey.username, short.rootKey.password);
    const piece = Buffer.alloc(1024 * 1024);
    const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
    const send = () => new Promise<void>((resolve, reject) => void socket.write(chunk, (error) => (error ? reject(error) : resolve())));
    let said = '';
    socket.setEncoding('utf8').on('data', (text: string) => (said += text));
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (let sent = 0; sent < 2 * limits.registryRoomLookBytes; sent += piece.length) await send();
    while (!said.includes('no space left')) await once(socket, 'data');
    for (let n = 0; n < 20; n++) await send();
    socket.end('0\r\n\r\n');
    await once(socket, 'close');
    assert.match(said, /^HTTP\/1.1 507 [^]*no space left on the disk of the registry/);
    await short.close();
  });

  it('goes when nobody needs it: uploads that rest, blobs that no image has; what an image has stays', async () => {
    const swept = await openRegistryPlatform();
    await swept.ecr.createRepository({ repositoryName: 'a/one' });
    const image = await pushImage(swept, 'a/one', 'v1');
    const stray = await pushBlob(swept, 'a/one', 'stray');
    await swept.v2('a/one/blobs/uploads/', { method: 'POST' });
    const { blobs } = swept.registry.files;
    const uploads = join(swept.dir, 'registry/uploads');
    await swept.registry.collectGarbage(3600_000);
    assert.ok(existsSync(blobs.path(stray)) && readdirSync(uploads).length === 2, 'not before its time');
    for (const name of readdirSync(uploads)) utimesSync(join(uploads, name), 1, 1);
    utimesSync(blobs.path(stray), 1, 1);
    await swept.registry.collectGarbage(-1000);
    assert.deepEqual([existsSync(blobs.path(stray)), readdirSync(uploads)], [false, []]);
    assert.equal((await swept.v2(`a/one/blobs/${stray}`)).status, 404);
    const { layers } = (await (await swept.v2(`a/one/manifests/${image}`)).json()) as { layers: { digest: string }[] };
    assert.equal((await swept.v2(`a/one/blobs/${layers[0]?.digest}`)).status, 200);
    await swept.ecr.deleteRepository({ repositoryName: 'a/one', force: true });
    await swept.registry.collectGarbage(-1000);
    assert.deepEqual(readdirSync(join(swept.dir, 'registry/blobs/sha256')), []);
    await swept.close();
  });

  it('makes room where the disk is short: an upload that found none is over, and deleted images go at once', async () => {
    const options = { floorBytes: 0 };
    const short = await openRegistryPlatform(options);
    const kept = ['a/kept', 'a/gone', 'a/away'];
    for (const repositoryName of kept) await short.ecr.createRepository({ repositoryName });
    const shared = await pushBlob(short, 'a/gone', Buffer.alloc(300_000, 'shared'));
    const [one] = [await pushImage(short, 'a/kept', 'v1', 'one'), await pushImage(short, 'a/gone', 'v1', 'two'), await pushImage(short, 'a/away', 'v1', 'three')]; // prettier-ignore
    const files = () => readdirSync(join(short.dir, 'registry/blobs/sha256')).length;
    const upload = (await short.v2('a/kept/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    await short.ecr.batchDeleteImage({ repositoryName: 'a/gone', imageIds: [{ imageTag: 'v1' }] });
    await short.ecr.deleteRepository({ repositoryName: 'a/away', force: true });
    await short.registry.collectGarbage();
    assert.equal(files(), 10, 'there is room: nothing goes before its time');

    options.floorBytes = Number.MAX_SAFE_INTEGER;
    const refused = await short.v2(upload.slice(4), { method: 'PATCH', body: Buffer.alloc(limits.registryRoomLookBytes) });
    assert.equal(refused.status, 507);
    assert.equal((await short.v2(upload.slice(4))).status, 404);
    assert.deepEqual(readdirSync(join(short.dir, 'registry/uploads')), []);
    await short.registry.collectGarbage();
    assert.equal(files(), 4, 'the image that is left, and what no image has had yet');
    for (const [repository, digest] of [
      ['a/kept', one],
      ['a/gone', shared],
    ] as const)
      // prettier-ignore
      assert.ok(existsSync(short.registry.files.blobs.path(digest ?? '')), repository);
    await short.close();
  });

  it('is refused in plain words where the disk is full, and what was there stays', async () => {
    const small = mkdtempSync(join(tmpdir(), 'berth-small-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small]);
    let full: RegistryPlatform | undefined;
    try {
      full = await openRegistryPlatform({ filesDir: small });
      await full.ecr.createRepository({ repositoryName: 'a/one' });
      const kept = await pushBlob(full, 'a/one', Buffer.alloc(3 * 1024 * 1024, 'kept'));
      const bytes = Buffer.alloc(20 * 1024 * 1024, 'full');
      const answer = await full.v2(`a/one/blobs/uploads/?digest=${digestOf(bytes)}`, { method: 'POST', body: bytes });
      assert.equal(answer.status, 507);
      assert.match(await answer.text(), /no space left on the disk of the registry: delete images/);
      assert.deepEqual(readdirSync(join(small, 'uploads')), []);
      assert.equal((await full.v2(`a/one/blobs/${kept}`)).status, 200);
      await pushBlob(full, 'a/one', Buffer.alloc(1024 * 1024, 'fits'));
    } finally {
      await full?.close();
      execFileSync('umount', ['-l', small]);
      rmdirSync(small);
    }
  });
});

describe('a mirrored registry', () => {
  it('is pulled through once, kept, and served while it is away', async () => {
    const upstream = await openRegistryPlatform();
    await upstream.ecr.createRepository({ repositoryName: 'library/web' });
    const digest = await pushImage(upstream, 'library/web', 'latest');
    const mirror = await openRegistryPlatform({ upstreamAuth: async () => upstream.rootKey });
    const credentialArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/up';
    await mirror.ecr.createPullThroughCacheRule({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: upstream.host, credentialArn });
    await assert.rejects(mirror.ecr.createPullThroughCacheRule({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'quay.io' }), {
      name: 'PullThroughCacheRuleAlreadyExistsException',
    });
    assert.equal((await mirror.ecr.describePullThroughCacheRules({})).pullThroughCacheRules?.[0]?.upstreamRegistryUrl, upstream.host);
    const manifest = await mirror.v2('hub/library/web/manifests/latest');
    assert.equal(manifest.headers.get('docker-content-digest'), digest);
    const { layers } = (await manifest.json()) as { layers: { digest: string }[] };
    assert.equal(await (await mirror.v2(`hub/library/web/blobs/${layers[0]?.digest}`)).text(), 'layer of latest');
    assert.equal((await mirror.ecr.describeRepositories({ repositoryNames: ['hub/library/web'] })).repositories?.length, 1);
    assert.equal((await mirror.v2('hub/library/web/manifests/other')).status, 404);
    await mirror.ecr.createPullThroughCacheRule({ ecrRepositoryPrefix: 'open', upstreamRegistryUrl: upstream.host });
    const refused = await mirror.v2('open/library/web/manifests/latest');
    assert.equal(refused.status, 403);
    assert.match(
      await refused.text(),
      /"DENIED","message":"The authentication to the upstream registry failed\. Verify that the credentials/,
    );
    await upstream.close();
    assert.equal((await mirror.v2('hub/library/web/manifests/latest')).status, 200);
    assert.equal((await mirror.v2(`hub/library/web/blobs/${layers[0]?.digest}`)).status, 200);
    const away = await mirror.v2('hub/library/new/manifests/latest');
    assert.deepEqual([away.status, await code(away)], [424, 'UNAVAILABLE'], 'docker shows no text of an answer from 500 on');
    await mirror.ecr.deletePullThroughCacheRule({ ecrRepositoryPrefix: 'hub' });
    await assert.rejects(mirror.ecr.deletePullThroughCacheRule({ ecrRepositoryPrefix: 'hub' }), {
      name: 'PullThroughCacheRuleNotFoundException',
    });
    await mirror.close();
  });
});
