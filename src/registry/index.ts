/**
 * berth's own registry: what both of its front doors (ECR's API, the OCI distribution protocol) and the hosts ask of it. Bytes lie in the registry's directory, each
 * blob once; what repositories have of them is rows. A row is written after its bytes are on disk, and goes before them.
 */
import { createHash } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { EcrImageRecord, EcrLayerRecord, PullThroughRecord } from '#domain/ecr.ts';
import { DIGEST, readManifest } from '#domain/ecr-manifest.ts';
import type { Scope } from '#domain/scope.ts';
import { addLayer, ecrFault, imageOf, inRegistry, notePull, putImage, repositoryOf, type IntentDeps } from '#intent/index.ts';
import type { RegistryFiles } from './files.ts';
import { createPullThrough } from './pull-through.ts';
import { applyLifecycles, collectGarbage } from './sweep.ts';
import type { Upstream } from './upstream.ts';

export { openRegistryFiles, type RegistryFiles } from './files.ts';
export { expiredIn, lifecycleImages } from './sweep.ts';
export { createUpstream, type Upstream } from './upstream.ts';

export type RegistryDeps = IntentDeps & { files: RegistryFiles; upstream: Upstream; log: Log };

/** `digest`: what the sender says that it is. */
export type PushedManifest = { bytes: Uint8Array; mediaType: string | null; digest: string | null; tags: string[] };

export type Registry = {
  files: RegistryFiles;
  /** Throws as `putImage`, ImageDigestDoesNotMatchException, and InvalidParameter for what is no manifest. */
  push(scope: Scope, repository: string, manifest: PushedManifest): Promise<{ image: EcrImageRecord; isNew: boolean }>;
  /** The rule by which a repository mirrors an outside registry. */
  mirrorOf(scope: Scope, repository: string): Promise<PullThroughRecord | null>;
  /** An image by tag or digest, brought here first where the repository mirrors an outside one. Throws RepositoryNotFoundException, ImageNotFoundException. */
  image(scope: Scope, repository: string, reference: string, signal: AbortSignal): Promise<EcrImageRecord>;
  manifestBytes(image: EcrImageRecord): Promise<Buffer>;
  /** A blob of the repository; the same. null where it has none. */
  layer(scope: Scope, repository: string, digest: string, signal: AbortSignal): Promise<EcrLayerRecord | null>;
  /** Ends an upload: from now on the repository has its bytes. */
  finishUpload(scope: Scope, repository: string, id: string, digest: string): Promise<EcrLayerRecord['sizeBytes']>;
  /** Gives a repository what another one has; false where that hasn't it. */
  mount(scope: Scope, repository: string, from: string, digest: string): Promise<boolean>;
  /** Somebody pulled it. */
  pulled(image: EcrImageRecord): void;
  applyLifecycles(): Promise<void>;
  collectGarbage(graceMs?: number): Promise<void>;
};

export function createRegistry(deps: RegistryDeps): Registry {
  const { files, store, log } = deps;
  const pullThrough = createPullThrough(deps);
  const owner = ({ account, region }: Scope, repository: string) => uploadOwner({ account, region }, repository);

  return {
    files,
    async push(scope, repository, { bytes, mediaType, digest, tags }) {
      const facts = readManifest(bytes, mediaType);
      const algorithm = digest?.startsWith('sha512:') === true ? 'sha512' : 'sha256';
      const found = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
      if (digest !== null && digest !== found) {
        throw ecrFault(
          'ImageDigestDoesNotMatchException',
          `The digest '${digest.slice(0, 140)}' does not match the manifest, whose digest is '${found}'`,
        );
      }
      // Nothing lands on disk for a repository that isn't there.
      await store.read((tx) => repositoryOf(tx, scope, repository));
      const wish = { ...facts, digest: found, sizeBytes: bytes.length };
      return await files.blobs.put(found, bytes, () => putImage(deps, scope, repository, wish, tags));
    },
    mirrorOf: (scope, repository) => pullThrough.rule(scope, repository),
    async image(scope, repository, reference, signal) {
      await pullThrough.manifest(scope, repository, reference, signal);
      return await store.read(async (tx) => {
        await repositoryOf(tx, scope, repository);
        return await imageOf(tx, scope, repository, DIGEST.test(reference) ? { digest: reference } : { tag: reference });
      });
    },
    manifestBytes: ({ key }) => files.blobs.read(key.digest),
    async layer(scope, repository, digest, signal) {
      const key = { account: scope.account, region: scope.region, repository, digest };
      const find = () =>
        store.read(async (tx) => {
          await repositoryOf(tx, scope, repository);
          return await tx.ecrLayers.get(key);
        });
      const found = await find();
      if (found !== undefined) return found;
      if (!(await pullThrough.blob(scope, repository, digest, signal))) return null;
      return (await find()) ?? null;
    },
    async finishUpload(scope, repository, id, digest) {
      if (!DIGEST.test(digest))
        throw new Fault('InvalidParameter', `'${digest.slice(0, 140)}' is no digest`, { details: { kind: 'digest' } });
      return await files.uploads.finish(id, owner(scope, repository), digest, async (path, bytes) => {
        await files.blobs.take(digest, path, () => addLayer(deps, scope, repository, digest, bytes));
        return bytes;
      });
    },
    async mount(scope, repository, from, digest) {
      const of = { account: scope.account, region: scope.region, repository: from };
      const there = await store.read((tx) => tx.ecrLayers.get({ ...of, digest }));
      if (there === undefined) return false;
      await files.blobs.keep(digest, () => addLayer(deps, scope, repository, digest, there.sizeBytes));
      return true;
    },
    pulled(image) {
      notePull(deps, image).catch((error: unknown) => log.warn('registry.pull-note', { reason: (error as Error).message }));
    },
    applyLifecycles: () => applyLifecycles(deps),
    collectGarbage: (graceMs = limits.registryGraceMs) => collectGarbage(deps, graceMs),
  };
}

/** Whose an upload is. */
export const uploadOwner = ({ account, region }: Scope, repository: string): string => `${account}/${region}/${repository}`;

export const layerNotFound = (scope: Scope, repository: string, digest: string) =>
  ecrFault(
    'LayersNotFoundException',
    `The layer with digest '${digest}' does not exist in ${inRegistry(repository, scope)}`,
    'ResourceNotFound',
  );
export type { UploadInfo } from './uploads.ts';
