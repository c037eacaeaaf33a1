/** Wishes about what repositories hold: blobs, images and their tags. */
import { limits } from '#base/limits.ts';
import { isImmutableTag, type EcrImageRecord, type RepositoryRecord } from '#domain/ecr.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { ecrFault, findImage, inRegistry, repositoryOf, type EcrImageId } from './ecr-faults.ts';
import type { IntentDeps } from './types.ts';

/** A blob that lies in the registry belongs to this repository too. */
export async function addLayer(
  deps: IntentDeps,
  { account, region }: Scope,
  repository: string,
  digest: string,
  sizeBytes: number,
): Promise<void> {
  const addedAt = deps.clock.now();
  await deps.store.write(async (tx) => {
    await repositoryOf(tx, { account, region }, repository);
    const key = { account, region, repository, digest };
    const present = await tx.ecrLayers.get(key);
    // Whoever pushes it again may count on it as long as at the first time.
    await tx.ecrLayers.put({ key, sizeBytes, addedAt }, present?.revision ?? 0);
  });
}

/** Throws LayersNotFoundException when the repository hasn't it, Conflict while an image needs it. */
export async function removeLayer(deps: IntentDeps, { account, region }: Scope, repository: string, digest: string): Promise<void> {
  const of = { account, region, repository };
  await deps.store.write(async (tx) => {
    await repositoryOf(tx, of, repository);
    if ((await tx.ecrLayers.get({ ...of, digest })) === undefined) throw layersNotFound(of, repository, [digest]);
    if ((await tx.imagesNaming(of, digest)).some(({ blobs }) => blobs.includes(digest))) {
      throw ecrFault(
        'InvalidParameterException',
        `The layer ${digest} is part of an image of ${inRegistry(repository, of)}: delete that first`,
        'Conflict',
      );
    }
    await tx.ecrLayers.delete({ ...of, digest });
  });
}

const layersNotFound = (scope: Scope, name: string, digests: string[]) =>
  ecrFault(
    'LayersNotFoundException',
    `Layers with digests '[${digests.join(', ')}]' required for pushing image into ${inRegistry(name, scope)} don't exist`,
    'ResourceNotFound',
  );

export type ImageWish = Omit<EcrImageRecord, 'key' | 'revision' | 'pushedAt' | 'pulledAt'> & { digest: string };

/**
 * `isNew`: the manifest, or one of the tags on it, was not there. Throws LayersNotFoundException, ReferencedImagesNotFoundException,
 * ImageTagAlreadyExistsException for a tag that may not be moved; then nothing is changed.
 */
export async function putImage(
  deps: IntentDeps,
  { account, region }: Scope,
  repository: string,
  { digest, ...wish }: ImageWish,
  tags: string[],
  /** What it names lies in the outside registry yet, that it was pulled from. */
  sparse = false,
): Promise<{ image: EcrImageRecord; isNew: boolean }> {
  const now = deps.clock.now();
  const of = { account, region, repository };
  return await deps.store.write(async (tx) => {
    const record = await repositoryOf(tx, of, repository);
    const present = await tx.ecrImages.get({ ...of, digest });
    if (present === undefined && !sparse) await assertWhole(tx, record, wish);
    let isNew = present === undefined;
    for (const tag of tags) isNew = (await moveTag(tx, record, tag, digest, now)) || isNew;
    const image = present ?? (await tx.ecrImages.put({ ...wish, key: { ...of, digest }, pushedAt: now, pulledAt: null }, 0));
    return { image, isNew };
  });
}

async function assertWhole(
  tx: ReadTx,
  { key }: RepositoryRecord,
  { blobs, children }: Pick<ImageWish, 'blobs' | 'children'>,
): Promise<void> {
  const { name: repository, ...scope } = key;
  const of = { account: scope.account, region: scope.region, repository };
  if ((await tx.imageCount(of)) >= limits.imagesPerRepository) {
    throw ecrFault(
      'LimitExceededException',
      `The repository with name '${repository}' in registry with id '${of.account}' already has the maximum allowed number of images which is '${limits.imagesPerRepository}'`,
      'LimitExceeded',
    );
  }
  const lacking = await filterAsync(blobs, async (digest) => (await tx.ecrLayers.get({ ...of, digest })) === undefined);
  if (lacking.length > 0) throw layersNotFound(of, repository, lacking);
  const unknown = await filterAsync(children, async (digest) => (await tx.ecrImages.get({ ...of, digest })) === undefined);
  if (unknown.length === 0) return;
  const text = `Images with digests '[${unknown.join(', ')}]' required for pushing image into ${inRegistry(repository, of)} don't exist`;
  throw ecrFault('ReferencedImagesNotFoundException', text, 'ResourceNotFound');
}

async function filterAsync<T>(items: T[], test: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept: T[] = [];
  for (const item of items) if (await test(item)) kept.push(item);
  return kept;
}

/** Whether it was elsewhere, or nowhere. */
async function moveTag(
  tx: WriteTx,
  { key: { name, ...scope }, ...rule }: RepositoryRecord,
  tag: string,
  digest: string,
  taggedAt: number,
): Promise<boolean> {
  const key = { account: scope.account, region: scope.region, repository: name, tag };
  const present = await tx.ecrTags.get(key);
  if (present?.digest === digest) return false;
  if (present !== undefined && isImmutableTag(rule, tag)) {
    const text = `The image tag '${tag}' already exists in the '${name}' repository and cannot be overwritten because the tag is immutable.`;
    throw ecrFault('ImageTagAlreadyExistsException', text, 'Conflict');
  }
  await tx.ecrTags.put({ key, digest, taggedAt }, present?.revision ?? 0);
  return true;
}

export type ImageFailure = { id: EcrImageId; code: string; reason: string };

/** By a tag: the tag goes, and with its last one the image. By a digest: the image with all its tags. What an index names stays. */
export async function deleteImages(
  deps: IntentDeps,
  { account, region }: Scope,
  repository: string,
  ids: EcrImageId[],
  /** An image whose last tag goes stays, without one (distribution-spec). */
  keepUntagged = false,
): Promise<{ deleted: { tag?: string; digest: string }[]; failures: ImageFailure[] }> {
  const of = { account, region, repository };
  return await deps.store.write(async (tx) => {
    await repositoryOf(tx, of, repository);
    const deleted: { tag?: string; digest: string }[] = [];
    const failures: ImageFailure[] = [];
    for (const id of ids) {
      const image = await findImage(tx, of, repository, id);
      if (image === undefined) {
        failures.push(await lackOf(tx, of, id));
        continue;
      }
      const result = await deleteOne(tx, image, id, keepUntagged, deps.clock.now());
      if (Array.isArray(result)) deleted.push(...result);
      else failures.push(result);
    }
    return { deleted, failures };
  });
}

async function lackOf(tx: ReadTx, of: Scope & { repository: string }, id: EcrImageId): Promise<ImageFailure> {
  const tagged = id.tag === undefined ? undefined : await tx.ecrTags.get({ ...of, tag: id.tag });
  if (tagged !== undefined && id.digest !== undefined)
    return { id, code: 'ImageTagDoesNotMatchDigest', reason: 'Requested tag does not match the digest' };
  return { id, code: 'ImageNotFound', reason: 'Requested image not found' };
}

async function deleteOne(
  tx: WriteTx,
  { key, blobs }: EcrImageRecord,
  id: EcrImageId,
  keepUntagged: boolean,
  now: number,
): Promise<ImageFailure | { tag?: string; digest: string }[]> {
  const { account, region, repository, digest } = key;
  const of = { account, region, repository };
  // Of an image that is named by a tag it's enough to know whether there is another one: there may be very many.
  const tags = await tx.tagsOfDigest(of, digest, id.tag === undefined ? undefined : 2);
  const going = id.tag === undefined ? tags.map(({ key: { tag } }) => tag) : [id.tag];
  if (going.length === tags.length && !(keepUntagged && id.tag !== undefined)) {
    const index = (await tx.imagesNaming(of, digest)).find(({ children }) => children.includes(digest));
    if (index !== undefined) {
      const reason = `Requested image referenced by manifest list: [${index.key.digest}]`;
      return { id, code: 'ImageReferencedByManifestList', reason };
    }
    await tx.ecrImages.delete(key);
    for (const blob of blobs) await noteFreed(tx, of, blob, now);
  }
  for (const tag of going) await tx.ecrTags.delete({ ...of, tag });
  return going.length === 0 ? [{ digest }] : going.map((tag) => ({ tag, digest }));
}

/** Whether another image has it is found out by who needs its room. */
async function noteFreed(tx: WriteTx, of: Scope & { repository: string }, digest: string, freedAt: number): Promise<void> {
  const layer = await tx.ecrLayers.get({ ...of, digest });
  if (layer !== undefined) await tx.ecrLayers.put({ ...layer, freedAt }, layer.revision);
}

/** Kept to the hour: it isn't worth a write for each pull. */
export async function notePull(deps: IntentDeps, image: EcrImageRecord): Promise<void> {
  const now = deps.clock.now();
  if (image.pulledAt !== null && now - image.pulledAt < limits.pullNoteMs) return;
  await deps.store.write(async (tx) => {
    const present = await tx.ecrImages.get(image.key);
    if (present !== undefined) await tx.ecrImages.put({ ...present, pulledAt: now }, present.revision);
  });
}
