/** Pulling and deleting blobs. Source: distribution-spec 1.1, "Pulling blobs", "Deleting Blobs"; RFC 9110, section 14 (ranges). */
import { Fault } from '#base/fault.ts';
import { DIGEST } from '#domain/ecr-manifest.ts';
import type { EcrLayerRecord } from '#domain/ecr.ts';
import type { HttpAnswer, HttpCall, Send } from '#gateway/types.ts';
import { removeLayer } from '#intent/index.ts';
import { assertMayImport, assertOnRepository, type EcrDeps } from '../ecr/access.ts';
import type { OciCall } from './index.ts';
import type { OciPath } from './route.ts';

/** Query parameter of the addresses that GetDownloadUrlForLayer gives. */
export const GRANT = 'X-Berth-Grant';

export async function getBlob({ deps, call, context }: OciCall, repository: string, digest: string): Promise<HttpAnswer> {
  // A push looks with HEAD what it needn't send.
  const action = call.request.method === 'HEAD' ? 'ecr:BatchCheckLayerAvailability' : 'ecr:GetDownloadUrlForLayer';
  await assertOnRepository(deps, context, action, repository);
  await assertMayImport(deps, context, repository);
  return await answer(deps, call, context, repository, digest);
}

/** The same for whoever has an address of GetDownloadUrlForLayer; null for any other request. */
export async function grantedBlob(deps: EcrDeps, call: HttpCall, path: OciPath): Promise<HttpAnswer | null> {
  if (path.kind !== 'blob' || call.request.method !== 'GET') return null;
  const token = new URLSearchParams(call.request.query).get(GRANT);
  const grant = token === null ? undefined : deps.identity.registryTokens.readGrant(token);
  if (grant === undefined || grant.repository !== path.repository || grant.digest !== path.digest) return null;
  return await answer(deps, call, grant, path.repository, path.digest);
}

async function answer(
  { registry }: EcrDeps,
  call: HttpCall,
  scope: { account: string; region: string },
  repository: string,
  digest: string,
): Promise<HttpAnswer> {
  const layer = DIGEST.test(digest) ? await registry.layer(scope, repository, digest, call.signal) : null;
  if (layer === null)
    throw new Fault('ResourceNotFound', `blob unknown to registry: ${digest.slice(0, 140)}`, { details: { kind: 'blob' } });
  return partOf(registry, layer, digest, call);
}

function partOf({ files }: EcrDeps['registry'], { sizeBytes }: EcrLayerRecord, digest: string, call: HttpCall): HttpAnswer {
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'max-age=31536000',
  };
  const range = rangeOf(call.request.headers['range']?.[0], sizeBytes);
  if (range === 'none') return { status: 416, headers: { 'Content-Range': `bytes */${sizeBytes}` } };
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  const length = { 'Content-Length': String(end - start) };
  const body = call.request.method === 'HEAD' || end === start ? '' : (send: Send) => files.blobs.send(digest, start, end, send);
  if (range === null) return { status: 200, headers: { ...headers, ...length }, body };
  return { status: 206, headers: { ...headers, ...length, 'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}` }, body };
}

/** `end`: the first byte that isn't wanted. null: all of it, as for what isn't one range of bytes; 'none': nothing of it is there. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | null | 'none' {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (found === null || (found[1] === '' && found[2] === '')) return null;
  const [first = '', last = ''] = [found[1], found[2]];
  if (first === '') return Number(last) === 0 ? 'none' : { start: Math.max(0, size - Number(last)), end: size };
  const start = Number(first);
  const end = last === '' ? size : Math.min(size, Number(last) + 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= size ? 'none' : { start, end };
}

export async function deleteBlob({ deps, context }: OciCall, repository: string, digest: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:BatchDeleteImage', repository);
  const present = DIGEST.test(digest)
    ? await deps.store.read((tx) => tx.ecrLayers.get({ account: context.account, region: context.region, repository, digest }))
    : undefined;
  if (present === undefined)
    throw new Fault('ResourceNotFound', `blob unknown to registry: ${digest.slice(0, 140)}`, { details: { kind: 'blob' } });
  await removeLayer(deps, context, repository, digest);
  return { status: 202, headers: {} };
}
