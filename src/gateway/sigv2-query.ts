/**
 * Signature Version 2 in the query of a presigned URL of S3: what boto3 and version 1 of the AWS CLI still make in us-east-1. In headers it isn't taken.
 * Source: S3 user guide, "Signing and authenticating REST requests (AWS signature version 2)", "Query string request authentication alternative".
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { limits } from '#base/limits.ts';
import type { AccessKey } from './keys.ts';
import { refuse } from './refusals.ts';
import type { SignedRequest } from './sigv4.ts';

/** Parts of the query that are part of the resource. */
const signedNames = new Set(['accelerate', 'acl', 'cors', 'defaultObjectAcl', 'delete', 'lifecycle', 'location', 'logging', 'notification', 'partNumber', 'policy', 'publicAccessBlock', 'replication', 'requestPayment', 'response-cache-control', 'response-content-disposition', 'response-content-encoding', 'response-content-language', 'response-content-type', 'response-expires', 'restore', 'storageClass', 'tagging', 'torrent', 'uploadId', 'uploads', 'versionId', 'versioning', 'versions', 'website', 'x-amz-security-token']); // prettier-ignore

export type QueryCredential = { accessKeyId: string; token: string | undefined; expiresAt: number; signature: string };

/** Undefined for a request that isn't signed so. */
export function readQueryCredential(request: SignedRequest): QueryCredential | undefined {
  const query = new URLSearchParams(request.query);
  const accessKeyId = query.get('AWSAccessKeyId');
  if (accessKeyId === null || request.headers['authorization'] !== undefined) return undefined;
  const [signature, expires] = [query.get('Signature'), query.get('Expires')];
  if (signature === null || expires === null || !/^\d{1,12}$/.test(expires)) {
    throw refuse('incompleteSignature', 'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters');
  }
  return { accessKeyId, token: query.get('x-amz-security-token') ?? undefined, expiresAt: Number(expires) * 1000, signature };
}

/** `bucket`: of a request whose host names it. Throws the refusals `unknownKey`, `expiredToken`, `presignExpired` and `badSignature`. */
export function assertQuerySignature(
  request: SignedRequest,
  credential: QueryCredential,
  known: AccessKey | undefined,
  bucket: string | undefined,
  nowMs: number,
): AccessKey {
  if (known === undefined || (known.sessionToken ?? '') !== (credential.token ?? '')) throw refuse('unknownKey', 'unknown access key');
  if (known.expiresAt !== undefined && known.expiresAt <= nowMs) throw refuse('expiredToken', 'The provided token has expired.');
  if (credential.expiresAt <= nowMs || credential.expiresAt - nowMs > limits.presignedMs)
    throw refuse('presignExpired', 'Request has expired');
  const expected = createHmac('sha1', known.secret)
    .update(textOf(request, credential, bucket))
    .digest();
  const given = Buffer.from(credential.signature, 'base64');
  if (given.length === expected.length && timingSafeEqual(given, expected)) return known;
  throw refuse(
    'badSignature',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  );
}

function textOf({ method, path, query, headers }: SignedRequest, { expiresAt }: QueryCredential, bucket: string | undefined): string {
  const one = (name: string) => headers[name]?.join(',') ?? '';
  const own = Object.keys(headers).filter((name) => name.startsWith('x-amz-')).sort().map((name) => `${name}:${one(name).trim()}\n`); // prettier-ignore
  const parts = [...new URLSearchParams(query)].filter(([name]) => signedNames.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  const suffix = parts.map(([name, value]) => (value === '' ? name : `${name}=${value}`)).join('&');
  const resource = `${bucket === undefined ? '' : `/${bucket}`}${path}${suffix === '' ? '' : `?${suffix}`}`;
  return [method, one('content-md5'), one('content-type'), String(expiresAt / 1000), own.join('') + resource].join('\n');
}
