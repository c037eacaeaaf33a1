/**
 * Who scrapes. Prometheus can't sign as AWS's clients do, so it says an access key in HTTP's Basic scheme (RFC 7617): the key's id as the user, its secret as
 * the password. Temporary keys are refused: nothing would renew them in a file of Prometheus.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import type { Principal } from '#domain/records.ts';
import type { HttpCall } from '#gateway/types.ts';

/** Throws Fault AccessDenied, with `unknown` in its details where it isn't known who calls. */
export async function callerOf({ request, lookup }: Pick<HttpCall, 'request' | 'lookup'>): Promise<Principal> {
  const [scheme = '', encoded = ''] = (request.headers['authorization']?.[0] ?? '').split(' ');
  const text = scheme.toLowerCase() === 'basic' ? Buffer.from(encoded, 'base64').toString() : '';
  const cut = text.indexOf(':');
  if (cut < 0) throw stranger('Say an access key by basic auth: its id as the user name, its secret as the password.');
  const [id, secret] = [text.slice(0, cut), text.slice(cut + 1)];
  const key = await lookup(id);
  // The same time for a key that isn't there.
  if (!same(secret, key?.secret ?? '') || key === undefined) throw stranger('There is no such access key, or its secret is another one.');
  if (key.sessionToken !== undefined) throw stranger('Temporary keys can’t be used here: make a user with a key of its own.');
  return key.principal;
}

const stranger = (message: string) => new Fault('AccessDenied', message, { details: { unknown: true } });
const digest = (text: string) => createHash('sha256').update(text).digest();
const same = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));
