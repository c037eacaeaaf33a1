/** The global condition keys of a call. Source: IAM user guide, "AWS global condition context keys". */
import type { Principal } from '#domain/records.ts';
import type { Facts } from '#policy/index.ts';
import { roleArnOf } from './principals.ts';
import type { CallFacts } from './types.ts';

type Global = (principal: Principal, call: CallFacts) => string | undefined;

const unlessEmpty = (text: string) => (text === '' ? undefined : text);

const globals = new Map<string, Global>(
  Object.entries<Global>({
    'aws:currenttime': (_, { now }) => new Date(now).toISOString(),
    'aws:epochtime': (_, { now }) => String(Math.floor(now / 1000)),
    'aws:principalarn': (principal) => roleArnOf(principal) ?? principal.arn,
    'aws:principalaccount': ({ account }) => account,
    'aws:principaltype': typeOf,
    'aws:userid': ({ userId }) => userId,
    'aws:principalisawsservice': () => 'false',
    'aws:viaawsservice': () => 'false',
    'aws:requestedregion': (_, { region }) => region,
    'aws:securetransport': (_, { secure }) => String(secure),
    'aws:sourceip': (_, { sourceIp }) => unlessEmpty(sourceIp),
    'aws:useragent': (_, { userAgent }) => unlessEmpty(userAgent),
    'aws:username': ({ actor }) => (actor?.kind === 'user' ? actor.name : undefined),
    'aws:tokenissuetime': ({ session }) => session && new Date(session.issuedAt).toISOString(),
    'aws:multifactorauthpresent': ({ session }) => session && 'false',
    'aws:sourceidentity': ({ session }) => session?.sourceIdentity ?? undefined,
  }),
);

/** What is told of any call; a value is made when a policy asks for it, since most ask for two or three. `own`: the operation's own keys (`ecs:cluster`, `aws:RequestTag/...`), which come first. */
export function factsOf(
  principal: Principal,
  call: CallFacts,
  own: Record<string, string | string[]>,
  tags: Record<string, string>,
): Facts {
  const told = new Map(Object.entries(own).map(([key, value]) => [key.toLowerCase(), value]));
  return { get: (key) => told.get(key) ?? globals.get(key)?.(principal, call) ?? tagOf(tags, key) };
}

const PRINCIPAL_TAG = 'aws:principaltag/';

function tagOf(tags: Record<string, string>, key: string): string | undefined {
  if (!key.startsWith(PRINCIPAL_TAG)) return undefined;
  const name = key.slice(PRINCIPAL_TAG.length);
  return Object.entries(tags).findLast(([tag]) => tag.toLowerCase() === name)?.[1];
}

function typeOf({ actor }: Principal): string {
  if (actor === undefined) return 'Account';
  return actor.kind === 'user' ? 'User' : 'AssumedRole';
}
