/** Who calls: HTTP Basic (RFC 7617) with ECR's token (`AWS`), or with an access key and its secret. */
import { timingSafeEqual } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import { ecrHost } from '#domain/ecr.ts';
import type { Principal } from '#domain/records.ts';
import type { CallContext, HttpCall } from '#gateway/types.ts';
import type { RegistryPass } from '#identity/index.ts';
import type { EcrDeps } from '../ecr/access.ts';

/** Where nothing names a region: as `berth env` says it. */
const REGION = 'us-east-1';

/** Throws AccessDenied (details.kind `unauthorized`). */
export async function callerOf(deps: EcrDeps, call: HttpCall): Promise<CallContext> {
  const given = basic(call.request.headers['authorization']?.[0]);
  if (given === undefined) throw unauthorized('no basic auth credentials');
  const known = await principalOf(deps, call, given);
  if (known === undefined) throw unauthorized('The credentials are not valid: get new ones (aws ecr get-login-password)');
  const host = ecrHost(hostOf(call).replace(/:\d+$/, ''));
  if (host !== null && host.account !== known.principal.account) {
    throw new Fault('AccessDenied', `The registry of account ${host.account} is not one of ${known.principal.arn}`);
  }
  return await call.context(known.principal, host?.region ?? known.region);
}

export const hostOf = ({ request }: Pick<HttpCall, 'request'>): string => request.headers['host']?.[0] ?? '';

const unauthorized = (why: string) => new Fault('AccessDenied', why, { details: { kind: 'unauthorized' } });

function basic(header: string | undefined): { user: string; password: string } | undefined {
  const encoded = /^basic\s+([A-Za-z0-9+/=_-]+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const plain = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  return colon < 0 ? undefined : { user: plain.slice(0, colon), password: plain.slice(colon + 1) };
}

async function principalOf(
  deps: EcrDeps,
  call: HttpCall,
  { user, password }: { user: string; password: string },
): Promise<{ principal: Principal; region: string } | undefined> {
  if (user === 'AWS') return passOf(deps, password);
  const key = await call.lookup(user);
  // Temporary keys are worth nothing without their token, for which Basic has no place.
  if (key === undefined || key.sessionToken !== undefined || !same(key.secret, password)) return undefined;
  return { principal: key.principal, region: REGION };
}

/** With another status than for what was never valid, as ECR does it. */
function passOf({ identity }: EcrDeps, token: string): RegistryPass | undefined {
  const pass = identity.registryTokens.read(token);
  if (pass === 'expired') throw new Fault('AccessDenied', 'Your authorization token has expired. Reauthenticate and try again.');
  return pass;
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
