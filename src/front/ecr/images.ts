/** Images of a repository. */
import type {
  BatchDeleteImageRequest,
  BatchDeleteImageResponse,
  BatchGetImageRequest,
  BatchGetImageResponse,
  DescribeImagesRequest,
  DescribeImagesResponse,
  Image,
  ImageDetail,
  ImageFailure as ImageFailureView,
  ImageFailureCode,
  ListImagesRequest,
  ListImagesResponse,
  PutImageRequest,
  PutImageResponse,
} from '@aws-sdk/client-ecr';
import { isFault } from '#base/fault.ts';
import { DIGEST } from '#domain/ecr-manifest.ts';
import { TAG_NAME, type EcrImageRecord } from '#domain/ecr.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import {
  deleteImages,
  ecrFault,
  imageOf,
  invalidEcr,
  repositoryOf,
  tagsOfImage,
  type EcrImageId,
  type ImageFailure,
} from '#intent/index.ts';
import type { ReadTx, RegistryPage } from '#store/types.ts';
import type { EcrDeps } from './access.ts';
import { imageIdView, oneOf, readImageIds, readPage } from './input.ts';
import { ecrOperation } from './operation.ts';

export function imageOperations(deps: EcrDeps): Operation[] {
  return [
    ecrOperation<PutImageRequest, PutImageResponse>(deps, 'PutImage', (input, context) => putOne(deps, input, context)),
    ecrOperation<BatchGetImageRequest, BatchGetImageResponse>(deps, 'BatchGetImage', (input, context) => getMany(deps, input, context)),
    ecrOperation<ListImagesRequest, ListImagesResponse>(deps, 'ListImages', (input, context) => list(deps, input, context)),
    ecrOperation<DescribeImagesRequest, DescribeImagesResponse>(deps, 'DescribeImages', (input, context) => describe(deps, input, context)),
    ecrOperation<BatchDeleteImageRequest, BatchDeleteImageResponse>(deps, 'BatchDeleteImage', async (input, context) => {
      const { deleted, failures } = await deleteImages(deps, context, input.repositoryName ?? '', readImageIds(input.imageIds));
      return { imageIds: deleted.map(imageIdView), failures: failures.map(failureView) };
    }),
  ];
}

async function putOne(deps: EcrDeps, input: PutImageRequest, context: CallContext): Promise<PutImageResponse> {
  const { repositoryName = '', imageManifest = '', imageTag: tag, imageDigest: digest } = input;
  if (tag !== undefined && !TAG_NAME.test(tag))
    throw invalidEcr(`Invalid parameter at 'imageTag' failed to satisfy constraint: '${clip(tag, 140)} is no tag'`);
  if (digest !== undefined && !DIGEST.test(digest))
    throw invalidEcr(`Invalid parameter at 'imageDigest' failed to satisfy constraint: '${clip(digest, 140)} is no digest'`);
  const bytes = Buffer.from(imageManifest, 'utf8');
  const wish = { bytes, mediaType: input.imageManifestMediaType ?? null, digest: digest ?? null, tags: tag === undefined ? [] : [tag] };
  const { image, isNew } = await deps.registry.push(context, repositoryName, wish);
  if (!isNew) {
    const named = `Image with digest '${image.key.digest}' and tag '${tag ?? 'null'}'`;
    const text = `${named} already exists in the repository with name '${repositoryName}' in registry with id '${context.account}'`;
    throw ecrFault('ImageAlreadyExistsException', text, 'AlreadyExists');
  }
  return { image: imageView(image, tag, imageManifest) };
}

function imageView({ key, mediaType }: EcrImageRecord, tag: string | undefined, imageManifest: string): Image {
  const imageId = imageIdView({ tag, digest: key.digest });
  return { registryId: key.account, repositoryName: key.repository, imageId, imageManifest, imageManifestMediaType: mediaType };
}

async function getMany(deps: EcrDeps, input: BatchGetImageRequest, context: CallContext): Promise<BatchGetImageResponse> {
  const { repositoryName = '' } = input;
  const ids = readImageIds(input.imageIds);
  const images: Image[] = [];
  const failures: ImageFailureView[] = [];
  // Brings what a mirrored repository lacks; a repository that isn't there fails the whole call.
  const signal = new AbortController().signal;
  await deps.registry.mirrorOf(context, repositoryName).then(async (rule) => {
    if (rule === null) await deps.store.read((tx) => repositoryOf(tx, context, repositoryName));
  });
  for (const id of ids) {
    try {
      const image = await deps.registry.image(context, repositoryName, id.tag ?? id.digest ?? '', signal);
      if (id.digest !== undefined && id.digest !== image.key.digest) {
        failures.push(failureView({ id, code: 'ImageTagDoesNotMatchDigest', reason: 'Requested tag does not match the digest' }));
        continue;
      }
      images.push(imageView(image, id.tag, (await deps.registry.manifestBytes(image)).toString('utf8')));
      deps.registry.pulled(image);
    } catch (error) {
      if (!isFault(error) || error.details['errorName'] !== 'ImageNotFoundException') throw error;
      failures.push(failureView({ id, code: 'ImageNotFound', reason: 'Requested image not found' }));
    }
  }
  return { images, failures };
}

const failureView = ({ id, code, reason }: ImageFailure): ImageFailureView => ({
  imageId: imageIdView(id),
  failureCode: code as ImageFailureCode,
  failureReason: reason,
});

async function list(deps: EcrDeps, input: ListImagesRequest, context: CallContext): Promise<ListImagesResponse> {
  const { repositoryName: repository = '', filter } = input;
  const of = { account: context.account, region: context.region, repository };
  const tagged = isTagged(filter?.tagStatus);
  // No tag begins with a slash.
  const placeOf = ({ digest, tag }: EcrImageId) => tag ?? `/${digest ?? ''}`;
  return await deps.store.read(async (tx) => {
    await repositoryOf(tx, context, repository);
    const { page, nextToken } = await readPage<EcrImageId>(input, placeOf, async ({ after, limit }) => {
      const isUntagged = after.startsWith('/');
      const tags = tagged === false || isUntagged ? [] : await tx.tagPage(of, { after, limit });
      const rest = { after: isUntagged ? after.slice(1) : '', limit: limit - tags.length };
      const images = tagged === true || rest.limit === 0 ? [] : await tx.imagePage(of, false, rest);
      return [...tags.map(({ key, digest }) => ({ tag: key.tag, digest })), ...images.map(({ key }) => ({ digest: key.digest }))];
    });
    return { imageIds: page.map(imageIdView), nextToken };
  });
}

/** null: whether it has a tag or not. */
function isTagged(wanted = 'ANY'): boolean | null {
  const status = oneOf('tagStatus', wanted, ['ANY', 'TAGGED', 'UNTAGGED']);
  return status === 'ANY' ? null : status === 'TAGGED';
}

async function describe(deps: EcrDeps, input: DescribeImagesRequest, context: CallContext): Promise<DescribeImagesResponse> {
  const { repositoryName: repository = '' } = input;
  const tagged = isTagged(input.filter?.tagStatus);
  const wanted = input.imageIds === undefined || input.imageIds.length === 0 ? null : readImageIds(input.imageIds);
  return await deps.store.read(async (tx) => {
    await repositoryOf(tx, context, repository);
    const of = { account: context.account, region: context.region, repository };
    const read = wanted === null ? (page: RegistryPage) => tx.imagePage(of, tagged, page) : () => named(tx, context, repository, wanted);
    const { page, nextToken } = await readPage(wanted === null ? input : {}, ({ key }) => key.digest, read);
    const details = await Promise.all(page.map(async (image) => detail(image, await tagsOfImage(tx, image.key))));
    const shown = wanted === null ? details : details.filter(({ imageTags }) => tagged === null || tagged === (imageTags !== undefined));
    return { imageDetails: shown, nextToken };
  });
}

/** Each once, however often it is named. */
async function named(tx: ReadTx, scope: Scope, repository: string, ids: EcrImageId[]): Promise<EcrImageRecord[]> {
  const found = await Promise.all(ids.map((id) => imageOf(tx, scope, repository, id)));
  return [...new Map(found.map((image) => [image.key.digest, image])).values()];
}

function detail(image: EcrImageRecord, tags: string[]): ImageDetail {
  return {
    registryId: image.key.account,
    repositoryName: image.key.repository,
    imageDigest: image.key.digest,
    imageTags: tags.length === 0 ? undefined : tags,
    imageSizeInBytes: image.totalBytes === 0 ? image.sizeBytes : image.totalBytes,
    imagePushedAt: new Date(image.pushedAt),
    imageManifestMediaType: image.mediaType,
    artifactMediaType: image.artifactType ?? image.configMediaType ?? undefined,
    lastRecordedPullTime: image.pulledAt === null ? undefined : new Date(image.pulledAt),
  };
}
