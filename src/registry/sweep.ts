/** What lifecycle policies expire, and what nobody needs any more: uploads that rest, blobs that no image has. */
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { expiredImages, parseLifecycle, type Expiry, type LifecycleImage } from '#domain/ecr-lifecycle.ts';
import type { RepositoryRecord } from '#domain/ecr.ts';
import { changeRepository, deleteImages, type IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import type { RegistryFiles } from './files.ts';

export type SweepDeps = IntentDeps & { files: RegistryFiles; log: Log };

export async function applyLifecycles(deps: SweepDeps): Promise<void> {
  for (const { key, lifecycle } of await deps.store.read((tx) => tx.ecrRepositories.list({}))) {
    if (lifecycle !== null) await applyOne(deps, key, lifecycle);
  }
}

async function applyOne(
  deps: SweepDeps,
  key: RepositoryRecord['key'],
  { text, evaluatedAt }: { text: string; evaluatedAt: number },
): Promise<void> {
  const now = deps.clock.now();
  const expired = await deps.store.read((tx) => expiredIn(tx, key, text, now));
  const ids = expired.map(({ digest }) => ({ digest }));
  const { deleted } = ids.length === 0 ? { deleted: [] } : await deleteImages(deps, key, key.name, ids);
  if (deleted.length > 0) deps.log.info('registry.expired', { repository: key.name, images: deleted.map(({ digest }) => digest) });
  if (deleted.length === 0 && now - evaluatedAt < limits.registryGraceMs) return;
  await changeRepository(deps, key, key.name, (present) =>
    present.lifecycle?.text === text ? { lifecycle: { text, evaluatedAt: now } } : {},
  );
}

/** What a policy would take of a repository now. */
export async function expiredIn(tx: ReadTx, key: RepositoryRecord['key'], policy: string, now: number): Promise<Expiry[]> {
  return expiredImages(await lifecycleImages(tx, key), parseLifecycle(policy), now);
}

export async function lifecycleImages(tx: ReadTx, { account, region, name }: RepositoryRecord['key']): Promise<LifecycleImage[]> {
  const of = { account, region, repository: name };
  const tags = Map.groupBy(await tx.ecrTags.list(of), ({ digest }) => digest);
  return (await tx.ecrImages.list(of)).map(({ key, pushedAt, pulledAt, children, subject }) => ({
    digest: key.digest,
    pushedAt,
    pulledAt,
    children,
    subject,
    tags: (tags.get(key.digest) ?? []).map((tag) => tag.key.tag),
  }));
}

/**
 * Ends uploads and removes blobs that nothing has named for `graceMs`. Where the disk is short of room it waits less for what may be a push under way, and not at all
 * for what an image had that was deleted, and for blobs that no repository has.
 */
export async function collectGarbage(deps: SweepDeps, graceMs: number = limits.registryGraceMs): Promise<void> {
  const { files, store, clock, log } = deps;
  const isShort = files.room.isShort();
  const before = clock.now() - (isShort ? Math.min(graceMs, limits.registryShortGraceMs) : graceMs);
  const uploads = await files.uploads.expire(before);
  let layers = 0;
  for (const { key } of await store.read((tx) => tx.ecrRepositories.list({}))) layers += await dropLayers(deps, key, before, isShort);
  const older = isShort ? Number.POSITIVE_INFINITY : before;
  const { removed, freedBytes } = await files.blobs.collect(older, (digest) => store.read((tx) => tx.isBlobUsed(digest)));
  if (uploads + layers + removed > 0) log.info('registry.swept', { uploads, layers, blobs: removed, freedBytes });
}

/** Blobs that were pushed or mounted and that no manifest ever named, or names no more. */
async function dropLayers(
  { store }: SweepDeps,
  { account, region, name }: RepositoryRecord['key'],
  before: number,
  freedToo: boolean,
): Promise<number> {
  const of = { account, region, repository: name };
  const unused = async (tx: ReadTx) => {
    const used = new Set((await tx.ecrImages.list(of)).flatMap(({ blobs }) => blobs));
    return (await tx.ecrLayers.list(of)).filter(
      ({ key, addedAt, freedAt }) => (addedAt < before || (freedToo && freedAt !== undefined)) && !used.has(key.digest),
    );
  };
  if ((await store.read(unused)).length === 0) return 0;
  return await store.write(async (tx) => {
    const gone = await unused(tx);
    for (const { key } of gone) await tx.ecrLayers.delete(key);
    return gone.length;
  });
}
