/** The global condition keys of a call. Source: IAM user guide, "AWS global condition context keys". */
import type { Principal } from '#domain/records.ts';
import type { Facts } from '#policy/index.ts';
import { roleArnOf } from './principals.ts';
import type { CallFacts, OwnFacts } from './types.ts';

/** Whom and what a policy is asked about. */
type Asked = { principal: Principal; resource: string; call: CallFacts };
type Global = (asked: Asked) => string | undefined;

const unlessEmpty = (text: string) => (text === '' ? undefined : text);

const globals = new Map<string, Global>(
  Object.entries<Global>({
    'aws:currenttime': ({ call }) => new Date(call.now()).toISOString(),
    'aws:epochtime': ({ call }) => String(Math.floor(call.now() / 1000)),
    'aws:principalarn': ({ principal }) => roleArnOf(principal) ?? principal.arn,
    'aws:principalaccount': ({ principal }) => principal.account,
    'aws:principaltype': ({ principal }) => typeOf(principal),
    'aws:userid': ({ principal }) => principal.userId,
    'aws:principalisawsservice': () => 'false',
    'aws:viaawsservice': () => 'false',
    'aws:requestedregion': ({ call }) => call.region,
    'aws:resourceaccount': ({ principal, resource }) => accountOf(resource) ?? principal.account,
    'aws:securetransport': ({ call }) => String(call.secure),
    'aws:sourceip': ({ call }) => unlessEmpty(call.sourceIp),
    'aws:useragent': ({ call }) => unlessEmpty(call.userAgent),
    'aws:username': ({ principal: { actor } }) => (actor?.kind === 'user' ? actor.name : undefined),
    'aws:tokenissuetime': ({ principal: { session } }) => session && new Date(session.issuedAt).toISOString(),
    'aws:multifactorauthpresent': ({ principal: { session } }) => session && 'false',
    'aws:sourceidentity': ({ principal: { session } }) => session?.sourceIdentity ?? undefined,
  }),
);

/** An operation's own keys, which come before the global ones: by their names in lower case, later ones first. */
export type Told = Map<string, string | string[]>;

export function toldBy(...all: (OwnFacts | undefined)[]): Told {
  const told: Told = new Map();
  for (const facts of all) for (const key in facts) if (facts[key] !== undefined) told.set(key.toLowerCase(), facts[key]);
  return told;
}

/** What is told of any call; a global value is made when a policy asks for it, since most ask for two or three. */
export function factsOf(asked: Asked, told: Told, tags: Record<string, string>): Facts {
  return { get: (key) => told.get(key) ?? globals.get(key)?.(asked) ?? tagOf(tags, key) };
}

/** Of an ARN that has one. */
const accountOf = (arn: string) => /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(arn)?.[1];

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
