/** Getting past a registry's 401: Basic (RFC 7617) and the token flow of distribution's "Token Authentication Specification". */
import { createHash } from 'node:crypto';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { isLoopback } from './reference.ts';
import { readBody, type Transport } from './transport.ts';
import type { RegistryAuth } from './types.ts';

export type Challenge = { scheme: string; params: Record<string, string> };

/** All challenges of WWW-Authenticate headers (RFC 9110, section 11.6.1). Schemes in lower case. */
export function parseChallenges(header: string): Challenge[] {
  const found: Challenge[] = [];
  const pattern = /([A-Za-z][\w!#$%&'*+.^`|~-]*)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|(?=\s|$|,))/g;
  for (const [, name = '', quoted, token] of header.matchAll(pattern)) {
    if (quoted === undefined && token === undefined) found.push({ scheme: name.toLowerCase(), params: {} });
    else {
      const last = found.at(-1);
      if (last !== undefined) last.params[name.toLowerCase()] = quoted === undefined ? (token ?? '') : quoted.replace(/\\(.)/g, '$1');
    }
  }
  return found;
}

export type Authorizer = {
  /** The Authorization header that worked last for this registry, repository and identity; undefined: try without. */
  known(key: string): string | undefined;
  forget(key: string): void;
  /** Answers a 401. Throws AccessDenied, or Unavailable when the token server can't be reached. */
  answer(
    key: string,
    request: { challenges: string; registry: URL; repository: string; auth: RegistryAuth | null; signal?: AbortSignal },
  ): Promise<string>;
};

/** One identity at one repository: what a token is good for. The secret itself is never part of a key. */
export function authKey(registry: string, repository: string, auth: RegistryAuth | null): string {
  return `${registry}/${repository} ${createHash('sha256').update(JSON.stringify(auth)).digest('hex')}`;
}

const denied = (why: string): Fault =>
  new Fault('AccessDenied', `pull access denied, repository does not exist or may require authorization: ${why}`, {
    details: { kind: 'denied' },
  });

export function createAuthorizer(clock: Clock, transport: Transport): Authorizer {
  const kept = new Map<string, { header: string; expiresAt: number }>();
  const keep = (key: string, header: string, lifeMs: number): string => {
    kept.delete(key);
    kept.set(key, { header, expiresAt: clock.now() + lifeMs });
    const oldest = kept.keys().next().value;
    if (kept.size > limits.registryTokensKept && oldest !== undefined) kept.delete(oldest);
    return header;
  };
  return {
    known(key) {
      const entry = kept.get(key);
      return entry !== undefined && entry.expiresAt > clock.now() ? entry.header : undefined;
    },
    forget: (key) => void kept.delete(key),
    async answer(key, { challenges, registry, repository, auth, signal }) {
      const offered = parseChallenges(challenges);
      const bearer = offered.find((c) => c.scheme === 'bearer' && c.params['realm'] !== undefined);
      if (bearer !== undefined) {
        const realm = tokenRealm(bearer.params['realm'] ?? '', registry);
        const scope = bearer.params['scope'] ?? `repository:${repository}:pull`;
        const token = await fetchToken(transport, { realm, service: bearer.params['service'] ?? '', scope, auth, signal });
        return keep(key, `Bearer ${token.value}`, Math.max(0, token.lifeMs - 10_000));
      }
      if (offered.some((c) => c.scheme === 'basic')) {
        if (auth === null || !('username' in auth)) throw denied('authorization failed: no basic auth credentials');
        return keep(key, basicHeader(auth), 3600_000);
      }
      throw denied(`server message: it asks for ${offered.map((c) => c.scheme).join(', ') || 'nothing that is known'}`);
    },
  };
}

function basicHeader(auth: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}

/** A registry that is spoken to over TLS must not make us send a password in the clear. */
function tokenRealm(text: string, registry: URL): URL {
  const realm = URL.canParse(text) ? new URL(text) : null;
  const secureEnough =
    realm?.protocol === 'https:' || (realm?.protocol === 'http:' && (registry.protocol === 'http:' || isLoopback(realm.hostname)));
  if (realm === null || !secureEnough)
    throw denied(`the registry names ${JSON.stringify(text.slice(0, 200))} as its token server, which is not safe to use`);
  return realm;
}

type TokenRequest = { realm: URL; service: string; scope: string; auth: RegistryAuth | null; signal: AbortSignal | undefined };

async function fetchToken(transport: Transport, request: TokenRequest): Promise<{ value: string; lifeMs: number }> {
  const { realm, service, scope, auth } = request;
  const signal = request.signal === undefined ? {} : { signal: request.signal };
  let response;
  if (auth !== null && 'identityToken' in auth) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service,
      scope,
      client_id: 'berth',
      refresh_token: auth.identityToken,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    response = await transport.request({ method: 'POST', url: realm, headers, body: form.toString(), ...signal });
  } else {
    const url = new URL(realm);
    if (service !== '') url.searchParams.set('service', service);
    for (const one of scope.split(' ').filter(Boolean)) url.searchParams.append('scope', one);
    const headers: Record<string, string> = auth === null ? {} : { authorization: basicHeader(auth) };
    response = await transport.request({ method: 'GET', url, headers, ...signal });
  }
  const body = await readBody(response, limits.registryAnswerBytes, `the answer of the token server ${realm.origin}`);
  if (response.status >= 400 && response.status < 500 && response.status !== 429) {
    throw denied(`server message: insufficient_scope: authorization failed (${realm.host} answered ${response.status})`);
  }
  if (response.status !== 200) {
    const kind = response.status === 429 ? 'rate' : 'server';
    throw new Fault('Unavailable', `failed to fetch oauth token: unexpected status from ${realm.host}: ${response.status}`, {
      details: { kind },
    });
  }
  let token: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    token = JSON.parse(body.toString()) as typeof token;
  } catch {
    token = {};
  }
  const value = token.token ?? token.access_token;
  if (typeof value !== 'string' || value === '' || /[\r\n]/.test(value))
    throw denied(`the token server ${realm.host} answered without a token`);
  // 60 s unless said otherwise (token specification).
  return { value, lifeMs: (typeof token.expires_in === 'number' ? token.expires_in : 60) * 1000 };
}
