/** Pushing blobs. Source: distribution-spec 1.1, "Pushing blobs", "Mounting a blob from another repository". */
import { uuid } from '#base/ids.ts';
import { Fault } from '#base/fault.ts';
import { DIGEST } from '#domain/ecr-manifest.ts';
import type { HttpAnswer } from '#gateway/types.ts';
import { repositoryOf } from '#intent/index.ts';
import { uploadOwner, type UploadInfo } from '#registry/index.ts';
import { assertOnRepository } from '../ecr/access.ts';
import { rangeOf } from './errors.ts';
import type { OciCall } from './index.ts';

/** POST: mounts, or takes a blob in one piece, or begins an upload. */
export async function beginUpload(oci: OciCall, repository: string): Promise<HttpAnswer> {
  const { deps, call, context, query } = oci;
  await assertOnRepository(deps, context, 'ecr:InitiateLayerUpload', repository);
  await deps.store.read((tx) => repositoryOf(tx, context, repository));
  if (query.get('mount') !== null && (await mounts(oci, repository))) return created(repository, query.get('mount') ?? '');
  const digest = query.get('digest');
  if (digest !== null) assertDigest(digest);
  const { uploads } = deps.registry.files;
  const owner = uploadOwner(context, repository);
  const begun = await uploads.begin(uuid(deps.random), owner);
  if (digest === null) return accepted(repository, begun);
  await assertOnRepository(deps, context, 'ecr:CompleteLayerUpload', repository);
  try {
    await uploads.append(begun.id, owner, 0, call.body);
    await deps.registry.finishUpload(context, repository, begun.id, digest);
  } catch (error) {
    // Nobody knows its id.
    await uploads.cancel(begun.id, owner).catch(() => undefined);
    throw error;
  }
  return created(repository, digest);
}

/** Only from where the caller may pull; where it can't be done the client uploads. */
async function mounts({ deps, context, query }: OciCall, repository: string): Promise<boolean> {
  const digest = query.get('mount') ?? '';
  const from = query.get('from');
  if (from === null || !DIGEST.test(digest)) return false;
  try {
    await assertOnRepository(deps, context, 'ecr:GetDownloadUrlForLayer', from);
  } catch {
    return false;
  }
  return await deps.registry.mount(context, repository, from, digest);
}

/** PATCH: one chunk. */
export async function addToUpload({ deps, call, context }: OciCall, repository: string, id: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:UploadLayerPart', repository);
  const { uploads } = deps.registry.files;
  const owner = uploadOwner(context, repository);
  const at = await startOf(uploads.info(id, owner), call.request.headers['content-range']?.[0], call.length);
  return accepted(repository, await uploads.append(id, owner, at, call.body));
}

/** PUT: the last chunk, if there is one more, and the digest of all. */
export async function endUpload({ deps, call, context, query }: OciCall, repository: string, id: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:CompleteLayerUpload', repository);
  const digest = query.get('digest') ?? '';
  const { uploads } = deps.registry.files;
  const owner = uploadOwner(context, repository);
  const at = await startOf(uploads.info(id, owner), call.request.headers['content-range']?.[0], call.length);
  assertDigest(digest);
  const hasBody = call.length === undefined ? call.request.headers['transfer-encoding'] !== undefined : call.length > 0;
  if (hasBody) await uploads.append(id, owner, at, call.body);
  await deps.registry.finishUpload(context, repository, id, digest);
  return created(repository, digest);
}

export async function uploadState({ deps, context }: OciCall, repository: string, id: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:UploadLayerPart', repository);
  const info = await deps.registry.files.uploads.info(id, uploadOwner(context, repository));
  return { ...accepted(repository, info), status: 204 };
}

export async function cancelUpload({ deps, context }: OciCall, repository: string, id: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:UploadLayerPart', repository);
  await deps.registry.files.uploads.cancel(id, uploadOwner(context, repository));
  return { status: 204, headers: {} };
}

function assertDigest(digest: string): void {
  if (DIGEST.test(digest)) return;
  throw new Fault('InvalidParameter', `'${digest.slice(0, 140)}' is no digest (sha256:<64 hex digits>)`, { details: { kind: 'digest' } });
}

/** Where a chunk begins by its Content-Range (`0-1023`, without a unit); null where it says nothing. */
async function startOf(state: Promise<UploadInfo>, range: string | undefined, length: number | undefined): Promise<number | null> {
  const { bytes } = await state;
  if (range === undefined) return null;
  const found = /^(?:bytes )?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/.exec(range);
  const [start, end] = [Number(found?.[1]), Number(found?.[2])];
  if (found !== null && end >= start && (length === undefined || length === end - start + 1)) return start;
  const text = `the Content-Range '${range.slice(0, 60)}' is not one of these ${length ?? '?'} bytes`;
  throw new Fault('InvalidParameter', text, { details: { kind: 'range', bytes } });
}

function accepted(repository: string, { id, bytes }: UploadInfo): HttpAnswer {
  const headers = { Location: `/v2/${repository}/blobs/uploads/${id}`, Range: rangeOf(bytes), 'Docker-Upload-UUID': id };
  return { status: 202, headers };
}

function created(repository: string, digest: string): HttpAnswer {
  return { status: 201, headers: { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest } };
}
