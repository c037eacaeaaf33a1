/** Manifests by tag and digest. Source: distribution-spec 1.1, "Pulling manifests", "Pushing Manifests", "Deleting tags", "Deleting Manifests". */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { DIGEST } from '#domain/ecr-manifest.ts';
import { TAG_NAME } from '#domain/ecr.ts';
import type { HttpAnswer } from '#gateway/types.ts';
import { deleteImages, imageNotFound } from '#intent/index.ts';
import { assertMayImport, assertOnRepository } from '../ecr/access.ts';
import type { OciCall } from './index.ts';

export async function getManifest({ deps, call, context }: OciCall, repository: string, reference: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:BatchGetImage', repository);
  await assertMayImport(deps, context, repository);
  const image = await deps.registry.image(context, repository, reference, call.signal);
  const headers = { 'Content-Type': image.mediaType, 'Docker-Content-Digest': image.key.digest, ETag: `"${image.key.digest}"` };
  if (call.request.method === 'HEAD') return { status: 200, headers: { ...headers, 'Content-Length': String(image.sizeBytes) } };
  const body = await deps.registry.manifestBytes(image);
  deps.registry.pulled(image);
  return { status: 200, headers, body };
}

export async function putManifest({ deps, call, context, query }: OciCall, repository: string, reference: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:PutImage', repository);
  const isDigest = DIGEST.test(reference);
  const tags = isDigest ? query.getAll('tag') : [reference];
  for (const tag of tags) if (!TAG_NAME.test(tag)) throw invalid(`'${tag.slice(0, 140)}' is neither a tag nor a digest`);
  const bytes = await readManifestBytes(call.body);
  const type = call.request.headers['content-type']?.[0]?.split(';')[0]?.trim();
  const mediaType = type === undefined || type === '' || type === 'application/json' ? null : type;
  const { image } = await deps.registry.push(context, repository, { bytes, mediaType, digest: isDigest ? reference : null, tags });
  const { digest } = image.key;
  return {
    status: 201,
    headers: {
      Location: `/v2/${repository}/manifests/${digest}`,
      'Docker-Content-Digest': digest,
      ...(image.subject === null ? {} : { 'OCI-Subject': image.subject }),
      ...(isDigest && tags.length > 0 ? { 'OCI-Tag': tags.join(', ') } : {}),
    },
  };
}

/** A tag alone goes, and its manifest stays; by a digest both go. */
export async function deleteManifest({ deps, context }: OciCall, repository: string, reference: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:BatchDeleteImage', repository);
  const id = DIGEST.test(reference) ? { digest: reference } : { tag: reference };
  const { failures } = await deleteImages(deps, context, repository, [id], true);
  const [failed] = failures;
  if (failed?.code === 'ImageNotFound') throw imageNotFound(context, repository, id);
  if (failed !== undefined) throw new Fault('Conflict', failed.reason);
  return { status: 202, headers: {} };
}

const invalid = (why: string) => new Fault('InvalidParameter', why, { details: { kind: 'manifest' } });

async function readManifestBytes(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of body) {
    total += chunk.length;
    if (total > limits.manifestBytes)
      throw new Fault('LimitExceeded', `a manifest may have at most ${limits.manifestBytes} bytes`, { details: { kind: 'size' } });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, total);
}
