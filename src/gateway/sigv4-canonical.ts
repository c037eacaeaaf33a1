/**
 * The canonical request and the string to sign of Signature Version 4 (IAM user guide, "Create a signed AWS API request"). The path is
 * normalised and encoded once more, but for S3, where `a//b` and `a/../b` are names as good as any: it stands as it came. Held against @smithy/signature-v4 in the tests; that package itself is
 * asynchronous and costs 11 MiB of memory.
 */
import { createHash, createHmac } from 'node:crypto';

export type CanonicalInput = {
  method: string;
  /** As on the request line, still encoded, without the query. */
  path: string;
  /** As on the request line, without `?`. */
  query: string;
  /** Lower case, sorted. */
  signedHeaders: string[];
  /** Each value of a header by its lower-case name. */
  headers: Record<string, string[] | undefined>;
  payloadHash: string;
  /** S3's way with the path. */
  plainPath?: boolean;
};

/** Throws URIError on a query with broken percent encoding. */
export function canonicalRequest(input: CanonicalInput): string {
  const headers = input.signedHeaders.map((name) => `${name}:${(input.headers[name] ?? []).map(canonicalValue).join(',')}\n`).join('');
  return [
    input.method,
    input.plainPath === true ? input.path : canonicalPath(input.path),
    canonicalQuery(input.query),
    headers,
    input.signedHeaders.join(';'),
    input.payloadHash,
  ].join('\n');
}

export function stringToSign(amzDate: string, credentialScope: string, canonical: string): string {
  return `AWS4-HMAC-SHA256\n${amzDate}\n${credentialScope}\n${sha256Hex(canonical)}`;
}

/** The key of one day, region and service; the same for every request with them. */
export function signingKey(secret: string, date: string, region: string, service: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
}

export function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

export function sha256Hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function canonicalValue(value: string): string {
  return value.replace(/[\r\n]/g, ' ').replace(/[ \t]+/g, ' ').trim(); // prettier-ignore
}

function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(escape(segment));
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const cut = part.indexOf('=');
    const name = decodeURIComponent(cut < 0 ? part : part.slice(0, cut));
    if (name === 'X-Amz-Signature') continue;
    pairs.push([escape(name), escape(cut < 0 ? '' : decodeURIComponent(part.slice(cut + 1)))]);
  }
  pairs.sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** RFC 3986: everything but unreserved characters is encoded. */
function escape(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
