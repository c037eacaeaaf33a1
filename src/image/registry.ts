/** Client of registries: OCI distribution-spec 1.1 and Docker's v2 API, reading only. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { authKey, createAuthorizer } from './authorize.ts';
import type { Credentials } from './credentials.ts';
import { acceptedManifests, digestOf, verifyDigest } from './manifest.ts';
import { isDigest, isLoopback, registryUrl, type Reference } from './reference.ts';
import { readBody, type HttpResponse, type Transport } from './transport.ts';
import type { RegistryAuth } from './types.ts';

export type ManifestAnswer = { digest: string; mediaType: string; bytes: Buffer };

/** Errors are Faults whose `details.kind` says what failed: see transport.ts, and not-found, denied, rate, server, digest, manifest. */
export type Registry = {
  /** A manifest by tag or digest; `digest` is verified against the bytes. */
  manifest(ref: Reference, target: string, call: RegistryCall): Promise<ManifestAnswer>;
  /** What a tag points to now; null when the registry doesn't say it in a HEAD's answer. */
  headDigest(ref: Reference, target: string, call: RegistryCall): Promise<string | null>;
  /** A blob from `offset` on. `offset` in the answer is 0 when the registry would not resume. The caller verifies. */
  blob(ref: Reference, digest: string, offset: number, call: RegistryCall): Promise<BlobAnswer>;
  /** The blob as a file at `path`, where that needs no download; false where it does. */
  take?(ref: Reference, digest: string, path: string, call: RegistryCall): Promise<boolean>;
  /** The same from one of a foreign layer's own addresses (https only, no credentials). */
  foreignBlob(url: string, offset: number, signal: AbortSignal): Promise<BlobAnswer>;
};
/** `taskId`: whose pull it is, for berth's own registry. */
export type RegistryCall = { auth: RegistryAuth | null; signal: AbortSignal; taskId?: string | null };
export type BlobAnswer = { response: HttpResponse; offset: number };

type Deps = { transport: Transport; credentials: Credentials; clock: Clock; insecure: readonly string[] };

export function createRegistry(deps: Deps): Registry {
  const { transport } = deps;
  const authorizer = createAuthorizer(deps.clock, transport);

  async function send(method: 'GET' | 'HEAD', ref: Reference, path: string, headers: Record<string, string>, call: RegistryCall) {
    const base = registryUrl(ref.registry, deps.insecure);
    const url = new URL(`v2/${ref.repository}/${path}`, base);
    const auth = call.auth ?? (await deps.credentials.lookup(ref.registry, call.signal));
    const key = authKey(ref.registry, ref.repository, auth);
    let authorization = authorizer.known(key);
    for (let tries = 0; ; tries++) {
      const all = authorization === undefined ? headers : { ...headers, authorization };
      const response = await follow(transport, { method, url, headers: all, signal: call.signal });
      if (response.status !== 401) return response;
      response.body.resume();
      authorizer.forget(key);
      const challenges = response.headers['www-authenticate'] ?? '';
      // A token that ran out gets one new one; fresh credentials that are refused are wrong.
      if (tries > 1 || (tries === 1 && /^basic/i.test(authorization ?? ''))) {
        throw statusFault({ ...response, status: 403 }, method, url, '');
      }
      authorization = await authorizer.answer(key, { challenges, registry: base, repository: ref.repository, auth, signal: call.signal });
    }
  }

  return {
    async manifest(ref, target, call) {
      const response = await send('GET', ref, `manifests/${target}`, { accept: acceptedManifests }, call);
      const what = `the manifest of ${ref.registry}/${ref.repository}`;
      await expect(response, [200], 'GET', ref, `manifests/${target}`);
      const bytes = await readBody(response, limits.manifestBytes, what);
      if (isDigest(target)) verifyDigest(bytes, target, what);
      const mediaType = (response.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
      return { digest: isDigest(target) ? target : digestOf(bytes), mediaType, bytes };
    },
    async headDigest(ref, target, call) {
      const response = await send('HEAD', ref, `manifests/${target}`, { accept: acceptedManifests }, call);
      await expect(response, [200], 'HEAD', ref, `manifests/${target}`);
      response.body.resume();
      const digest = response.headers['docker-content-digest'];
      return typeof digest === 'string' && isDigest(digest) ? digest : null;
    },
    async blob(ref, digest, offset, call) {
      const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
      const response = await send('GET', ref, `blobs/${digest}`, range, call);
      await expect(response, [200, 206, 416], 'GET', ref, `blobs/${digest}`);
      return { response, offset: startOf(response) };
    },
    async foreignBlob(url, offset, signal) {
      const target = URL.canParse(url) ? new URL(url) : null;
      if (target?.protocol !== 'https:')
        throw new Fault('InvalidParameter', `a foreign layer is at ${url}, which is not https`, { details: { kind: 'manifest' } });
      const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
      const response = await follow(transport, { method: 'GET', url: target, headers, signal });
      if (response.status !== 200 && response.status !== 206) throw statusFault(response, 'GET', target, '');
      return { response, offset: startOf(response) };
    },
  };
}

/** Where a body begins: 0 unless the registry did what the Range asked (RFC 9110, section 14.4). */
function startOf(response: HttpResponse): number {
  if (response.status !== 206) return 0;
  return Number(/^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1] ?? 0);
}

type Sent = { method: 'GET' | 'HEAD'; url: URL; headers: Record<string, string>; signal: AbortSignal };

/** Follows redirects; credentials stay with the host that they were meant for, and TLS is never given up. */
async function follow(transport: Transport, request: Sent): Promise<HttpResponse> {
  let { url, headers } = request;
  for (let hops = 0; ; hops++) {
    const response = await transport.request({ ...request, url, headers });
    const location = response.headers.location;
    if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
    response.body.resume();
    const next = URL.canParse(location, url.href) ? new URL(location, url) : null;
    const downgrade = next?.protocol === 'http:' && url.protocol === 'https:' && !isLoopback(next.hostname);
    if (next === null || !/^https?:$/.test(next.protocol) || downgrade || hops >= limits.registryRedirects) {
      throw new Fault('Unavailable', `failed to do request: ${url.host} redirects to ${location.slice(0, 200)}, which is not followed`, {
        details: { kind: 'redirect' },
      });
    }
    if (next.origin !== url.origin) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
    url = next;
  }
}

async function expect(response: HttpResponse, good: number[], method: string, ref: Reference, path: string): Promise<void> {
  if (good.includes(response.status)) return;
  const body = await readBody(response, limits.registryAnswerBytes, 'an error answer').catch(() => Buffer.alloc(0));
  throw statusFault(response, method, new URL(`https://${ref.registry}/v2/${ref.repository}/${path}`), body.toString('utf8'));
}

/** A bad status in containerd's words, which are AWS's. */
function statusFault(response: HttpResponse, method: string, url: URL, body: string): Fault {
  const { status } = response;
  const said = serverMessage(body);
  const reason = `unexpected status from ${method} request to ${url.href}: ${status}${said === '' ? '' : ` - Server message: ${said}`}`;
  if (status === 404) return new Fault('ResourceNotFound', 'not found', { details: { kind: 'not-found' } });
  if (status === 401 || status === 403) {
    const detail = said === '' ? 'insufficient_scope: authorization failed' : said;
    const text = `pull access denied, repository does not exist or may require authorization: server message: ${detail}`;
    return new Fault('AccessDenied', text, { details: { kind: 'denied' } });
  }
  if (status === 429 || status >= 500) {
    const after = Number(response.headers['retry-after'] ?? Number.NaN);
    const retry = Number.isFinite(after) ? { retryAfterMs: after * 1000 } : {};
    return new Fault('Unavailable', reason, { details: { kind: status === 429 ? 'rate' : 'server', ...retry } });
  }
  return new Fault('Unavailable', reason, { details: { kind: 'status' } });
}

/** The first error of a registry's answer: `code: message` (distribution-spec, "Error Codes"). */
function serverMessage(body: string): string {
  try {
    const errors = (JSON.parse(body) as { errors?: { code?: string; message?: string }[] }).errors;
    const first = errors?.[0];
    return first === undefined ? '' : `${String(first.code ?? '').toLowerCase()}: ${String(first.message ?? '')}`.slice(0, 300);
  } catch {
    return '';
  }
}
