/**
 * Verifies Signature Version 4 in both of its places, the Authorization header and the query of a presigned URL. First the parts that need
 * no body (`readCredential`, `assertKey`), so that a stranger's body is never read; then the signature (`assertSignature`).
 */
import { timingSafeEqual } from 'node:crypto';
import { limits } from '#base/limits.ts';
import type { AccessKey } from './keys.ts';
import { refuse } from './refusals.ts';
import { canonicalRequest, hmac, sha256Hex, signingKey, stringToSign } from './sigv4-canonical.ts';

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
const ALGORITHM = 'AWS4-HMAC-SHA256';
const S3 = 's3';

export type SignedRequest = {
  method: string;
  path: string;
  query: string;
  headers: Record<string, string[] | undefined>;
};

/** Which service the caller means, before anything is verified: it only chooses the form of an error. */
export function signingServiceHint(signed: SignedRequest): string | undefined {
  const text = signed.headers['authorization']?.[0] ?? new URLSearchParams(signed.query).get('X-Amz-Credential') ?? '';
  return /[^/\s]+\/\d{8}\/[^/]*\/([a-z0-9-]+)\/aws4_request/.exec(text)?.[1];
}

export type Credential = {
  accessKeyId: string;
  date: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
  /** `20261123T101500Z` */
  amzDate: string;
  /** Presigned URLs only. */
  expiresMs: number | undefined;
  token: string | undefined;
};

/** Reads who signs and how; throws what AWS says when that is missing or malformed. */
export function readCredential(request: SignedRequest): Credential {
  const authorization = request.headers['authorization']?.[0];
  const query = new URLSearchParams(request.query);
  if (authorization === undefined && query.get('X-Amz-Algorithm') === null && query.get('X-Amz-Signature') === null) {
    throw refuse('missingToken', 'Request is missing Authentication Token');
  }
  return authorization === undefined ? fromQuery(query) : fromHeader(authorization, request);
}

function fromHeader(authorization: string, request: SignedRequest): Credential {
  const [algorithm = '', rest = ''] = splitOnce(authorization.trim(), ' ');
  if (algorithm !== ALGORITHM) {
    throw refuse('incompleteSignature', `Unsupported AWS 'algorithm': '${algorithm.slice(0, 100)}'. Use ${ALGORITHM}.`);
  }
  const parts = new Map(rest.split(',').map((part) => splitOnce(part.trim(), '=')));
  const amzDate = request.headers['x-amz-date']?.[0] ?? amzDateOf(request.headers['date']?.[0]);
  const absent = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !parts.get(name));
  const complaints = absent.map((name) => `Authorization header requires '${name}' parameter.`);
  if (amzDate === undefined) complaints.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  if (complaints.length > 0 || amzDate === undefined) throw refuse('incompleteSignature', complaints.join(' '));
  return finish({
    credential: parts.get('Credential') ?? '',
    signedHeaders: parts.get('SignedHeaders') ?? '',
    signature: parts.get('Signature') ?? '',
    amzDate,
    expiresMs: undefined,
    token: request.headers['x-amz-security-token']?.[0],
  });
}

function fromQuery(query: URLSearchParams): Credential {
  const need = (name: string): string => {
    const value = query.get(name);
    if (value === null || value === '') throw refuse('incompleteSignature', `AWS query-string parameters must include '${name}'.`);
    return value;
  };
  if (need('X-Amz-Algorithm') !== ALGORITHM) throw refuse('incompleteSignature', `X-Amz-Algorithm must be ${ALGORITHM}.`);
  const expires = need('X-Amz-Expires');
  const expiresMs = Number(expires) * 1000;
  if (!/^\d{1,9}$/.test(expires) || expiresMs > limits.presignedMs) {
    throw refuse('presignTooLong', 'X-Amz-Expires must be a number of seconds from 0 to 604800.');
  }
  return finish({
    credential: need('X-Amz-Credential'),
    signedHeaders: need('X-Amz-SignedHeaders'),
    signature: need('X-Amz-Signature'),
    amzDate: need('X-Amz-Date'),
    expiresMs,
    token: query.get('X-Amz-Security-Token') ?? undefined,
  });
}

type Fields = { credential: string; signedHeaders: string; signature: string } & Pick<Credential, 'amzDate' | 'expiresMs' | 'token'>;

function finish({ credential, signedHeaders, ...rest }: Fields): Credential {
  const elements = credential.split('/');
  const [accessKeyId = '', date = '', region = '', service = '', term = ''] = elements;
  if (elements.length !== 5 || term !== 'aws4_request') {
    throw refuse(
      'incompleteSignature',
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential.slice(0, 200)}'`,
    );
  }
  if (!/^[a-z0-9-]{1,40}$/.test(region)) {
    throw refuse('incompleteSignature', `Credential should be scoped to a valid region, not '${region.slice(0, 100)}'.`);
  }
  if (!/^\d{8}T\d{6}Z$/.test(rest.amzDate)) {
    throw refuse('incompleteSignature', `Date must be in ISO-8601 'basic format'. Got '${rest.amzDate.slice(0, 100)}'.`);
  }
  if (rest.amzDate.slice(0, 8) !== date) {
    throw refuse(
      'badSignature',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${rest.amzDate.slice(0, 8)}', from '${rest.amzDate}'.`,
    );
  }
  return { accessKeyId, date, region, service, signedHeaders: signedHeaders.toLowerCase().split(';'), ...rest };
}

/**
 * The key that was found for the credential; throws for a stranger, a wrong or expired session token, and a request that is too old or
 * not yet of this time.
 */
export function assertKey(credential: Credential, key: AccessKey | undefined, nowMs: number): AccessKey {
  if (key === undefined || !sameText(key.sessionToken ?? '', credential.token ?? '')) {
    throw refuse('unknownKey', 'The security token included in the request is invalid.');
  }
  if (key.expiresAt !== undefined && key.expiresAt <= nowMs) {
    throw refuse('expiredToken', 'The security token included in the request is expired');
  }
  const signedAt = parseAmzDate(credential.amzDate);
  const age = nowMs - signedAt;
  const skewMs = credential.service === 's3' ? limits.objectClockSkewMs : limits.clockSkewMs;
  const life = credential.expiresMs ?? skewMs;
  if (age > life) {
    const oldest = formatAmzDate(nowMs - life);
    const bound =
      credential.expiresMs === undefined
        ? `${formatAmzDate(nowMs)} - ${skewMs / 60_000} min.`
        : `${formatAmzDate(nowMs)} - ${life / 1000} s`;
    const kind = credential.expiresMs === undefined ? 'expired' : 'presignExpired';
    throw refuse(kind, `Signature expired: ${credential.amzDate} is now earlier than ${oldest} (${bound})`);
  }
  if (age < -skewMs) {
    const latest = formatAmzDate(nowMs + skewMs);
    const text = `Signature not yet current: ${credential.amzDate} is still later than ${latest} (${formatAmzDate(nowMs)} + ${skewMs / 60_000} min.)`;
    throw refuse('expired', text);
  }
  return key;
}

/** Returns the key that was signed with: the chunks of a signed stream are, too. */
export type SignatureVerifier = (request: SignedRequest, credential: Credential, key: AccessKey, payloadHash: string) => Buffer;

/** A verifier with a bounded memory of derived keys. Throws refusals `badSignature` and `incompleteSignature`. */
export function createSignatureVerifier(): SignatureVerifier {
  const derived = new Map<string, Buffer>();
  const derive = (c: Credential, key: AccessKey): Buffer => {
    const name = `${c.accessKeyId}/${c.date}/${c.region}/${c.service}`;
    const known = derived.get(name);
    if (known !== undefined) return known;
    const made = signingKey(key.secret, c.date, c.region, c.service);
    const [oldest] = derived.keys();
    if (derived.size >= limits.signingKeys && oldest !== undefined) derived.delete(oldest);
    derived.set(name, made);
    return made;
  };
  return (request, credential, key, payloadHash) => {
    assertCovered(request, credential);
    const plainPath = credential.service === S3;
    const canonical = canonicalRequest({ ...request, signedHeaders: credential.signedHeaders, payloadHash, plainPath });
    const signing = derive(credential, key);
    const expected = hmac(signing, stringToSign(credential.amzDate, scopeOf(credential), canonical));
    const given = Buffer.from(credential.signature, 'hex');
    if (credential.signature.length !== 64 || given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw refuse(
        'badSignature',
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      );
    }
    return signing;
  };
}

export function scopeOf({ date, region, service }: Credential): string {
  return `${date}/${region}/${service}/aws4_request`;
}

/** What decides about the meaning of a request must be under the signature. */
function assertCovered(request: SignedRequest, credential: Credential): void {
  const signed = new Set(credential.signedHeaders);
  if (!signed.has('host')) {
    throw refuse('badSignature', "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  const sorted = credential.signedHeaders.every((name, i, all) => i === 0 || name > (all[i - 1] ?? ''));
  if (!sorted) throw refuse('incompleteSignature', 'SignedHeaders must be sorted and name each header once.');
  for (const name of ['x-amz-target', 'x-amz-date', 'x-amz-security-token']) {
    // A presigned URL has its date in the query.
    if (request.headers[name] !== undefined && !signed.has(name) && (credential.expiresMs === undefined || name === 'x-amz-target')) {
      throw refuse('badSignature', `'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
  // In S3 headers say what is copied, and what is kept with an object.
  const free = ['x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'];
  const loose = (name: string) => name.startsWith('x-amz-') && !signed.has(name) && !free.includes(name);
  if (credential.service === S3 && Object.keys(request.headers).some(loose)) {
    throw refuse('unsignedHeaders', 'There were headers present in the request which were not signed');
  }
}

/**
 * The hash that stands in the canonical request: the body's own, or what `x-amz-content-sha256` claims, which must then be true.
 * `body` is undefined for a stream, whose payload must be unsigned.
 */
export function payloadHashOf(request: SignedRequest, body: Buffer | undefined): string {
  const claimed = request.headers['x-amz-content-sha256']?.[0];
  if (body === undefined) return UNSIGNED_PAYLOAD;
  const actual = sha256Hex(body);
  if (claimed !== undefined && claimed !== actual) {
    throw refuse('badSignature', "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return actual;
}

function sameText(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(sha256Hex(a)), Buffer.from(sha256Hex(b)));
}

function splitOnce(text: string, separator: string): [string, string] {
  const cut = text.indexOf(separator);
  return cut < 0 ? [text, ''] : [text.slice(0, cut), text.slice(cut + 1).trim()];
}

/** Milliseconds of `20261123T101500Z`; NaN for a date that does not exist becomes the epoch, which is always expired. */
export function parseAmzDate(text: string): number {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  return Date.parse(iso) || 0;
}

function formatAmzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function amzDateOf(httpDate: string | undefined): string | undefined {
  const ms = Date.parse(httpDate ?? '');
  return Number.isNaN(ms) ? undefined : formatAmzDate(ms);
}
