/** berth's own registry in one process: both its front doors with IAM behind them, over a directory and a database of its own. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ECR } from '@aws-sdk/client-ecr';
import { realClock, type Clock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createEcrApi } from '#front/ecr/index.ts';
import { createIamApi } from '#front/iam/index.ts';
import { createOciRoute } from '#front/oci/index.ts';
import { createGateway, openKeys } from '#gateway/index.ts';
import { createIdentity } from '#identity/index.ts';
import type { RegistryAuth } from '#image/types.ts';
import { createRegistry, createUpstream, openRegistryFiles } from '#registry/index.ts';
import { createSqliteStore } from '#store/index.ts';
import { openVault } from '#vault/index.ts';

export const account = '123456789012';
export const region = 'us-east-1';
export const scope = { account, region };

export type RegistryPlatform = Awaited<ReturnType<typeof openRegistryPlatform>>;

/** `dir`: of a former one, to go on with. `floorBytes`: of the disk, what is to stay free. */
export async function openRegistryPlatform(
  options: {
    clock?: Clock;
    dir?: string;
    filesDir?: string;
    floorBytes?: number;
    upstreamAuth?: (arn: string) => Promise<RegistryAuth>;
  } = {},
) {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'berth-registry-'));
  const deps = { clock: options.clock ?? realClock(), random: realRandom(), log: silentLog };
  const store = await createSqliteStore({ path: join(dir, 'berth.db') });
  const keys = openKeys(deps, { path: join(dir, 'keys.json'), account });
  const intent = { ...deps, store };
  const identity = createIdentity({ ...intent, vault: openVault(deps, { path: join(dir, 'master.json') }) });
  const files = await openRegistryFiles(options.filesDir ?? join(dir, 'registry'), () => options.floorBytes ?? 0);
  const upstream = createUpstream(deps.clock, { auth: options.upstreamAuth ?? (() => Promise.reject(new Error('no secrets here'))) });
  const registry = createRegistry({ ...intent, files, upstream });
  const ecrDeps = { ...intent, registry, identity };
  const gateway = createGateway({
    ...deps,
    apis: [createEcrApi(ecrDeps), createIamApi({ ...intent, identity })],
    httpRoutes: [createOciRoute(ecrDeps)],
    keys: { lookup: (id, token) => keys.lookup(id) ?? identity.lookup(id, token) },
    authorize: (principal, action, resources, { region: at, sourceIp, userAgent }, facts) =>
      identity.assertAllowed(principal, action, resources, { now: deps.clock.now, region: at, sourceIp, userAgent, secure: false }, facts),
    version: 'test',
  });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const endpoint = `http://127.0.0.1:${port}`;
  const client = (credentials = keys.root) => new ECR({ endpoint, region, maxAttempts: 1, credentials });
  const ecr = client();
  const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const root = basic(keys.root.accessKeyId, keys.root.secretAccessKey);
  return {
    ...deps,
    dir,
    store,
    registry,
    endpoint,
    host: `127.0.0.1:${port}`,
    rootKey: { username: keys.root.accessKeyId, password: keys.root.secretAccessKey },
    ecr,
    client,
    basic,
    /** One request to `/v2/PATH`, as root unless it says otherwise. */
    v2: (path: string, init: RequestInit & { authorization?: string | null; duplex?: 'half' } = {}): Promise<Response> => {
      const { authorization = root, headers, ...rest } = init;
      const all = { ...(authorization === null ? {} : { authorization }), ...(headers as Record<string, string> | undefined) };
      return fetch(`${endpoint}/v2/${path}`, { ...rest, headers: all });
    },
    async close(remove = true) {
      ecr.destroy();
      await gateway.close();
      upstream.close();
      await store.close();
      if (remove) rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const digestOf = (bytes: Uint8Array | string, algorithm = 'sha256') =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Puts a blob into a repository in one request. */
export async function pushBlob(platform: RegistryPlatform, repository: string, bytes: Uint8Array | string): Promise<string> {
  const digest = digestOf(bytes);
  const answer = await platform.v2(`${repository}/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return digest;
}

/** A small image of one layer, by the protocol; returns its digest. */
export async function pushImage(
  platform: RegistryPlatform,
  repository: string,
  tag: string | null,
  content = tag ?? 'x',
  extra: object = {},
): Promise<string> {
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, content }));
  const layer = Buffer.from(`layer of ${content}`);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: await pushBlob(platform, repository, config),
      size: config.length,
    },
    layers: [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: await pushBlob(platform, repository, layer), size: layer.length },
    ],
    ...extra,
  });
  const reference = tag ?? digestOf(manifest);
  const answer = await platform.v2(`${repository}/manifests/${reference}`, {
    method: 'PUT',
    body: manifest,
    headers: { 'content-type': OCI_MANIFEST },
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return digestOf(manifest);
}
