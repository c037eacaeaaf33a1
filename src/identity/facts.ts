/** The global condition keys of a call. Source: IAM user guide, "AWS global condition context keys". */
import type { Principal } from '#domain/records.ts';
import type { Facts } from '#policy/index.ts';
import { roleArnOf } from './principals.ts';
import type { CallFacts } from './types.ts';

/** What is told of any call. `own`: the operation's own keys (`ecs:cluster`, `aws:RequestTag/...`). */
export function factsOf(
  principal: Principal,
  call: CallFacts,
  own: Record<string, string | string[]>,
  tags: Record<string, string>,
): Facts {
  const facts = new Map<string, string | string[]>();
  const now = new Date(call.now);
  const principalArn = roleArnOf(principal) ?? principal.arn;
  facts.set('aws:currenttime', now.toISOString());
  facts.set('aws:epochtime', String(Math.floor(call.now / 1000)));
  facts.set('aws:principalarn', principalArn);
  facts.set('aws:principalaccount', principal.account);
  facts.set('aws:principaltype', typeOf(principal));
  facts.set('aws:userid', principal.userId);
  facts.set('aws:principalisawsservice', 'false');
  facts.set('aws:viaawsservice', 'false');
  facts.set('aws:requestedregion', call.region);
  facts.set('aws:securetransport', call.secure ? 'true' : 'false');
  if (call.sourceIp !== '') facts.set('aws:sourceip', call.sourceIp);
  if (call.userAgent !== '') facts.set('aws:useragent', call.userAgent);
  if (principal.actor?.kind === 'user') facts.set('aws:username', principal.actor.name);
  for (const [key, value] of Object.entries(tags)) facts.set(`aws:principaltag/${key.toLowerCase()}`, value);
  const { session } = principal;
  if (session !== undefined) {
    facts.set('aws:tokenissuetime', new Date(session.issuedAt).toISOString());
    facts.set('aws:multifactorauthpresent', 'false');
    if (session.sourceIdentity !== null) facts.set('aws:sourceidentity', session.sourceIdentity);
  }
  for (const [key, value] of Object.entries(own)) facts.set(key.toLowerCase(), value);
  return facts;
}

function typeOf({ actor }: Principal): string {
  if (actor === undefined) return 'Account';
  return actor.kind === 'user' ? 'User' : 'AssumedRole';
}
