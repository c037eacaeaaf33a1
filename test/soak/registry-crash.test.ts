/**
 * kill -9 of control plane or host agent in the middle of pushes, again and again: what was acknowledged is there and whole, no manifest names what isn't, and an
 * interrupted upload goes on where it says it is. BERTH_SOAK_ROUNDS (20).
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, it } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { createSdk } from '../e2e/aws-sdk.ts';
import { startPlatform, until } from '../e2e/platform.ts';
import type { Platform } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';

const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 20);
const LAYER_BYTES = 24 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

let platform: Platform;
let ecr: ECR;
let authorization: string;
const digestOf = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

before(async () => {
  platform = await startPlatform();
  const sdk = createSdk(platform);
  ecr = new ECR({ ...sdk.config, maxAttempts: 20 });
  sdk.close();
  await ecr.createRepository({ repositoryName: 'soak/app' });
  authorization = `Basic ${(await ecr.getAuthorizationToken({})).authorizationData?.[0]?.authorizationToken}`;
});
after(async () => {
  ecr?.destroy();
  await platform?.end();
});

const call = (path: string, init: RequestInit = {}) =>
  fetch(`${platform.env['AWS_ENDPOINT_URL']}/v2/soak/app/${path}`, { ...init, headers: { authorization, ...(init.headers as object) } });

type Push = { bytes: Buffer; config: Buffer; upload: string | null; acknowledged: number; blobs: Set<string>; manifest: string | null };

/** Goes on until it is done or the connection breaks; `push` says how far it was acknowledged. */
async function go(push: Push, tag: string): Promise<void> {
  const { bytes, config } = push;
  const begun = await call('blobs/uploads/', { method: 'POST' });
  push.upload = (begun.headers.get('location') ?? '').replace('/v2/soak/app/', '');
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const body = bytes.subarray(at, at + CHUNK_BYTES);
    const headers = { 'content-range': `${at}-${at + body.length - 1}` };
    const answer = await call(push.upload, { method: 'PATCH', body, headers });
    if (answer.status === 202) push.acknowledged = at + body.length;
  }
  await finish(push, tag, `${push.upload}?digest=${digestOf(bytes)}`, config);
}

async function finish(push: Push, tag: string, path: string, config: Buffer): Promise<void> {
  const { bytes } = push;
  if ((await call(path, { method: 'PUT' })).status === 201) push.blobs.add(digestOf(bytes));
  if ((await call(`blobs/uploads/?digest=${digestOf(config)}`, { method: 'POST', body: config })).status === 201)
    push.blobs.add(digestOf(config));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(bytes), size: bytes.length }],
  });
  const put = await call(`manifests/${tag}`, { method: 'PUT', body: manifest, headers: { 'content-type': MANIFEST } });
  if (put.status === 201) push.manifest = digestOf(manifest);
}

it(`${ROUNDS} pushes, each with a kill -9`, { timeout: ROUNDS * 60_000 }, async () => {
  let cut = 0;
  let resumed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const push: Push = {
      bytes: randomBytes(LAYER_BYTES),
      config: Buffer.from(`{"round":${round}}`),
      upload: null,
      acknowledged: 0,
      blobs: new Set(),
      manifest: null,
    };
    const victim = round % 4 === 3 ? 'host' : 'control';
    const { [victim]: pid } = await until('every process', async () => processesOf(platform));
    // Somewhere in the push: its chunks are counted, so that a slow machine is hit in the same places.
    const target = (round * 7919) % (LAYER_BYTES / CHUNK_BYTES + 3);
    let broken = false;
    const pushing = go(push, `r${round}`).catch(() => void (broken = true));
    await until('the push is under way', async () =>
      push.acknowledged >= Math.min(target * CHUNK_BYTES, LAYER_BYTES) || push.manifest !== null || broken ? true : undefined,
    );
    process.kill(pid, 'SIGKILL');
    await pushing;
    await until('a process in its place', async () => {
      const now = processesOf(platform);
      return now !== undefined && now[victim] !== pid ? now : undefined;
    });
    await until('the API', async () => ((await call('tags/list').catch(() => undefined))?.status === 200 ? true : undefined));
    if (broken) cut++;
    resumed += await check(push, `r${round}`);
  }
  console.log(`${ROUNDS} pushes: ${cut} were cut, ${resumed} went on where they were`);
  assert.ok(cut > 0, 'no push was cut: nothing is proven');
});

/** 1 if the upload went on. */
async function check(push: Push, tag: string): Promise<number> {
  for (const digest of push.blobs) {
    const answer = await call(`blobs/${digest}`);
    assert.equal(digestOf(Buffer.from(await answer.arrayBuffer())), digest, 'an acknowledged blob is lost');
  }
  const { tags } = (await (await call('tags/list')).json()) as { tags: string[] };
  if (push.manifest !== null) assert.ok(tags.includes(tag), 'an acknowledged tag is lost');
  if (tags.includes(tag)) {
    const { config, layers } = (await (await call(`manifests/${tag}`)).json()) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    for (const { digest } of [config, ...layers])
      assert.equal((await call(`blobs/${digest}`, { method: 'HEAD' })).status, 200, 'half an image');
    return 0;
  }
  const state = push.upload === null || push.blobs.has(digestOf(push.bytes)) ? undefined : await call(push.upload);
  if (state?.status !== 204) return 0;
  const end = Number(/^0-(\d+)$/.exec(state.headers.get('range') ?? '')?.[1]);
  const at = end === 0 ? 0 : end + 1;
  assert.ok(at >= push.acknowledged, `${push.acknowledged} bytes were acknowledged, ${at} are there`);
  const path = `${push.upload}?digest=${digestOf(push.bytes)}`;
  const rest = push.bytes.subarray(at);
  if (rest.length > 0) assert.equal((await call(push.upload ?? '', { method: 'PATCH', body: rest })).status, 202);
  await finish(push, tag, path, push.config);
  assert.ok(push.manifest !== null, 'the push could not be finished');
  return 1;
}
