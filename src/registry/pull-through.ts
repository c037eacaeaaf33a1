/** What a pull of a mirrored repository brings here first. What is here is served also while the outside registry is not to be reached. */
import { rm } from 'node:fs/promises';
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { PullThroughRecord } from '#domain/ecr.ts';
import { DIGEST, readManifest } from '#domain/ecr-manifest.ts';
import type { Scope } from '#domain/scope.ts';
import { addLayer, ensureRepository, findImage, putImage, type IntentDeps } from '#intent/index.ts';
import type { RegistryFiles } from './files.ts';
import { ruleOf, type Upstream } from './upstream.ts';

export type PullThroughDeps = IntentDeps & { files: RegistryFiles; upstream: Upstream; log: Log };

export type PullThrough = {
  rule(scope: Scope, repository: string): Promise<PullThroughRecord | null>;
  /** Brings a manifest, by tag or digest, up to date. Throws only where nothing is here either. */
  manifest(scope: Scope, repository: string, reference: string, signal: AbortSignal): Promise<void>;
  /** Brings a blob that a manifest of the repository names; false where none does. */
  blob(scope: Scope, repository: string, digest: string, signal: AbortSignal): Promise<boolean>;
};

export function createPullThrough(deps: PullThroughDeps): PullThrough {
  const { files, upstream, clock } = deps;
  /** When a tag was last asked for. In memory: after a restart it is asked again. */
  const asked = new Map<string, number>();
  const working = new Map<string, Promise<unknown>>();

  /** Pulls of the same thing at the same time are one; it ends by itself, whoever of them goes away. */
  function once<T>(key: string, work: () => Promise<T>): Promise<T> {
    const present = working.get(key) as Promise<T> | undefined;
    if (present !== undefined) return present;
    const started = work().finally(() => working.delete(key));
    working.set(key, started);
    return started;
  }

  const rule = async ({ account, region }: Scope, repository: string) =>
    ruleOf(await deps.store.read((tx) => tx.pullThroughRules.list({ account, region })), repository);

  async function fetchManifest(
    scope: Scope,
    repository: string,
    of: PullThroughRecord,
    target: string,
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await upstream.manifest(of, repository, target, signal);
    const facts = readManifest(answer.bytes, answer.mediaType === '' ? null : answer.mediaType);
    await ensureRepository(deps, scope, repository);
    const wish = { ...facts, digest: answer.digest, sizeBytes: answer.bytes.length };
    const tags = DIGEST.test(target) ? [] : [target];
    await files.blobs.put(answer.digest, answer.bytes, () => putImage(deps, scope, repository, wish, tags, true));
  }

  async function refresh(scope: Scope, repository: string, of: PullThroughRecord, tag: string, signal: AbortSignal): Promise<void> {
    const key = `${scope.account}/${scope.region}/${repository}:${tag}`;
    const here = await deps.store.read((tx) => findImage(tx, scope, repository, { tag }));
    const fresh = clock.now() - (asked.get(key) ?? Number.NEGATIVE_INFINITY) < limits.pullThroughFreshMs;
    if (here !== undefined && fresh) return;
    try {
      const there = here === undefined ? null : await upstream.digest(of, repository, tag, signal);
      if (here === undefined || there !== here.key.digest) await fetchManifest(scope, repository, of, tag, signal);
      if (asked.size >= limits.pullThroughTagsKept) asked.clear();
      asked.set(key, clock.now());
    } catch (error) {
      if (here === undefined) throw error;
      deps.log.warn('registry.upstream', { repository, tag, reason: asFault(error).message });
    }
  }

  async function fetchBlob(scope: Scope, repository: string, of: PullThroughRecord, digest: string, signal: AbortSignal): Promise<boolean> {
    const size = await sizeOf(deps, scope, repository, digest);
    if (size === null) return false;
    if ((await files.blobs.size(digest)) !== null) {
      await files.blobs.keep(digest, () => addLayer(deps, scope, repository, digest, size));
      return true;
    }
    await files.room.assert(size);
    const path = files.blobs.temp();
    try {
      await upstream.blob(of, repository, { digest, size }, path, signal);
      await files.blobs.take(digest, path, () => addLayer(deps, scope, repository, digest, size));
    } finally {
      await rm(path, { force: true });
    }
    return true;
  }

  return {
    rule,
    async manifest(scope, repository, reference, signal) {
      const of = await rule(scope, repository);
      if (of === null) return;
      const isDigest = DIGEST.test(reference);
      if (isDigest && (await deps.store.read((tx) => findImage(tx, scope, repository, { digest: reference }))) !== undefined) return;
      try {
        await once(`${scope.region} ${repository} ${reference}`, () =>
          isDigest ? fetchManifest(scope, repository, of, reference, signal) : refresh(scope, repository, of, reference, signal),
        );
      } catch (error) {
        // What isn't there isn't here: the look-up that follows says so.
        if (!isFault(error) || error.details['kind'] !== 'not-found') throw upstreamFault(error, of);
      }
    },
    async blob(scope, repository, digest, signal) {
      const of = await rule(scope, repository);
      if (of === null) return false;
      return await once(`${scope.region} ${repository} ${digest}`, () => fetchBlob(scope, repository, of, digest, signal)).catch(
        (error: unknown) => {
          throw upstreamFault(error, of);
        },
      );
    },
  };
}

const DENIED =
  'The authentication to the upstream registry failed. Verify that the credentials provided in the pull through cache rule are correct, and try again.';

function upstreamFault(error: unknown, { upstreamUrl }: PullThroughRecord): Fault {
  const fault = asFault(error);
  if (fault.code === 'CapacityUnavailable' || fault.code === 'Cancelled') return fault;
  const isDenied = fault.details['kind'] === 'denied';
  const text = isDenied
    ? `${DENIED} (${upstreamUrl}: ${fault.message})`
    : `the upstream registry ${upstreamUrl} could not be pulled from: ${fault.message}`;
  const errorName = isDenied ? 'UnableToGetUpstreamImageException' : 'UnableToAccessUpstreamRegistryException';
  return new Fault(isDenied ? 'AccessDenied' : 'Unavailable', text, { details: { kind: 'upstream', errorName }, cause: error });
}

/** As the manifest says that names it. */
async function sizeOf(deps: PullThroughDeps, scope: Scope, repository: string, digest: string): Promise<number | null> {
  const of = { account: scope.account, region: scope.region, repository };
  const image = (await deps.store.read((tx) => tx.imagesNaming(of, digest))).find(({ blobs }) => blobs.includes(digest));
  if (image === undefined) return null;
  const manifest = JSON.parse((await deps.files.blobs.read(image.key.digest)).toString('utf8')) as {
    config: { digest: string; size: number };
    layers: { digest: string; size: number }[];
  };
  return [manifest.config, ...manifest.layers].find((one) => one.digest === digest)?.size ?? null;
}
