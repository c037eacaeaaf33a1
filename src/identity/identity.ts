/** Whose key it is, and whether they may: what the gateway asks before each call, and control about a task's roles. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Random } from '#base/random.ts';
import { accessKeyContext, iamScope, parseRoleArn, type RoleRecord } from '#domain/iam.ts';
import { mayDoAll, type Principal } from '#domain/records.ts';
import {
  asksAbout,
  compilePolicy,
  decide,
  decideOnResource,
  deniedText,
  parsePolicy,
  type Decision,
  type PolicyRequest,
  type PolicySet,
} from '#policy/index.ts';
import type { ReadTx, Store } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';
import { factsOf } from './facts.ts';
import { createPolicyCache, createStamps, remember, stampOf } from './policies.ts';
import { askerOf, rolePrincipal, userPrincipal } from './principals.ts';
import { createRegistryTokens, type RegistryTokens } from './registry-tokens.ts';
import { createSessions, type SessionWish, type TemporaryCredentials } from './sessions.ts';
import type { CallFacts, OwnFacts, Question, Touched, Verdict } from './types.ts';

export type FoundKey = { secret: string; sessionToken?: string; expiresAt?: number; principal: Principal };

export type Identity = {
  /** The key of a user, or of a session that the token describes. Root keys aren't known here. */
  lookup(accessKeyId: string, token: string | undefined): Promise<FoundKey | undefined>;
  judge(question: Question): Promise<Verdict>;
  /** Throws Fault AccessDenied unless all of these may be touched. Root may do all. */
  assertAllowed(principal: Principal, action: string, resources: readonly Touched[], call: CallFacts, facts: OwnFacts): Promise<void>;
  /** Whether a role's trust policy and the caller's own let it be assumed. */
  judgeAssume(role: RoleRecord, question: Question): Promise<Verdict>;
  /** What a service gets of a role that trusts it; null where it doesn't. */
  assumeForService(role: RoleRecord, wish: ServiceWish): TemporaryCredentials | null;
  mint(wish: SessionWish): TemporaryCredentials;
  /** Passwords of the registry, which stand for whoever asked for one. */
  registryTokens: RegistryTokens;
  /** The secret of an access key, ready for its row. */
  sealSecret(secret: string, accessKeyId: string): string;
};

/** A user's key as it was at a stamp of the account. */
type KnownKey = { stamp: number; secret: string; principal: Principal };

export type ServiceWish = { service: string; sessionName: string; seconds: number; facts: OwnFacts };

export function createIdentity(deps: { store: Pick<Store, 'read' | 'onChange'>; vault: Vault; clock: Clock; random: Random }): Identity {
  const { store, vault, clock } = deps;
  const sessions = createSessions(deps);
  const cache = createPolicyCache(store);
  const stamps = createStamps(store);
  const secrets = new Map<string, string>();
  const keys = new Map<string, KnownKey>();

  const secretOf = (id: string, sealed: string): string => {
    const secret = secrets.get(sealed) ?? vault.decrypt(sealed, accessKeyContext(id)).toString();
    if (secrets.size >= SECRETS) secrets.clear();
    secrets.set(sealed, secret);
    return secret;
  };

  const userKey = async (id: string): Promise<FoundKey | undefined> => {
    const before = keys.get(id);
    // Whatever is done with a key or its user is one more on the account's stamp.
    if (before !== undefined && (await stamps(before.principal.account)) === before.stamp) return foundKey(before);
    const found = await store.read(async (tx): Promise<KnownKey | undefined> => {
      const key = await tx.accessKeyById(id);
      if (key === undefined || !key.active) return undefined;
      const user = await tx.iamUsers.get({ ...iamScope(key.key), name: key.user });
      if (user === undefined) return undefined;
      return {
        stamp: await stampOf(tx, key.key.account),
        secret: secretOf(id, key.secret),
        principal: { ...userPrincipal(user), accessKeyId: id },
      };
    });
    if (found === undefined) return void keys.delete(id);
    remember(keys, id, found, SECRETS);
    return foundKey(found);
  };

  const foundKey = ({ secret, principal, stamp }: KnownKey): FoundKey => ({ secret, principal: pinned(principal, stamp) });

  /** Of this call alone, so that what it asks holds until its end. */
  const pinned = (of: Principal, stamp: number): Principal => {
    const principal = { ...of };
    cache.pin(principal, stamp);
    return principal;
  };

  const heldBy = async (principal: Principal): Promise<Held> => {
    const { tags, identity, boundary } = await cache.of(principal);
    const policies = { identity: principal.actor === undefined ? ROOT : identity, boundary, session: cache.session(principal) };
    return { policies, tags: { ...tags, ...principal.session?.tags } };
  };

  const judge = async (question: Question): Promise<Verdict> => judgeBy(await heldBy(question.principal), question);

  return {
    async lookup(accessKeyId, token) {
      if (!accessKeyId.startsWith('ASIA')) return await userKey(accessKeyId);
      const sealed = token === undefined ? undefined : sessions.read(accessKeyId, token);
      if (sealed === undefined || token === undefined) return undefined;
      const { secret } = sealed;
      const stamp = sealed.principal.actor === undefined ? 0 : await stamps(sealed.principal.account);
      const principal = pinned(sealed.principal, stamp);
      return { secret, principal, sessionToken: token, ...(principal.session && { expiresAt: principal.session.expiresAt }) };
    },
    judge,
    async assertAllowed(principal, action, resources, call, facts) {
      if (mayDoAll(principal)) return;
      const held = await heldBy(principal);
      for (const one of resources.length === 0 ? ['*'] : resources) {
        const { arn, alias, facts: own, about, policy } = typeof one === 'string' ? { arn: one } : one;
        // The call's own word comes first: a permissions boundary that it sets before the one that is there.
        const given = { ...own, ...facts };
        const lookUp = about !== undefined && (policy !== undefined || asksForMore(held, action, given));
        const told = lookUp ? { ...(await about()), ...given } : given;
        const ask = (resource: string) => {
          const question = { principal, action, resource, call, facts: told };
          return policy === undefined ? judgeBy(held, question) : judgeOn(held, policy, question);
        };
        const said = ask(arn);
        const other = alias === undefined ? said : ask(alias);
        const verdict = isExplicit(other) || (!said.decision.allowed && other.decision.allowed && !isExplicit(said)) ? other : said;
        if (!verdict.decision.allowed) throw new Fault('AccessDenied', verdict.text);
      }
    },
    async judgeAssume(role, question) {
      const { principal } = question;
      const held = await heldBy(principal);
      const trust = compilePolicy(parsePolicy(role.trust, 'trust'));
      const same = principal.account === role.key.account;
      return verdict(question, decideOnResource(trust, held.policies, askerOf(principal), same, requestOf(held, question)));
    },
    assumeForService(role, { service, sessionName, seconds, facts }) {
      const trust = compilePolicy(parsePolicy(role.trust, 'trust'));
      const told = new Map(Object.entries({ ...facts, 'aws:PrincipalIsAWSService': 'true', 'aws:CurrentTime': new Date(clock.now()).toISOString() }).map(([key, value]) => [key.toLowerCase(), value])); // prettier-ignore
      const request = { action: 'sts:AssumeRole', resource: '*', facts: told };
      if (!decideOnResource(trust, null, { kind: 'service', service }, true, request).allowed) return null;
      return sessions.mint({ ...rolePrincipal(role, sessionName), seconds });
    },
    mint: (wish) => sessions.mint(wish),
    registryTokens: createRegistryTokens(deps),
    sealSecret: (secret, accessKeyId) => vault.encrypt(secret, accessKeyContext(accessKeyId)),
  };
}

/** What bears on a principal's calls, as it is at one of them. */
type Held = { policies: PolicySet; tags: Record<string, string> };

/** What all policies are asked. */
function requestOf({ tags }: Held, { principal, action, resource, call, facts }: Question): PolicyRequest {
  const own = { 'aws:ResourceAccount': accountOf(resource) ?? principal.account, ...facts };
  return { action, resource, facts: factsOf(principal, call, own, tags) };
}

const judgeBy = (held: Held, question: Question): Verdict => verdict(question, decide(held.policies, requestOf(held, question)));

/** Where the resource has a policy of its own: within an account either may allow, and what either denies is denied. */
function judgeOn(held: Held, policy: string, question: Question): Verdict {
  const request = requestOf(held, question);
  const own = compilePolicy(parsePolicy(policy, 'resource'));
  const decision = decideOnResource(own, held.policies, askerOf(question.principal), true, request);
  const isClear = decision.allowed || decision.explicit;
  return verdict(question, isClear ? decision : decide(held.policies, request));
}

/** Whether the caller's policies on an action name keys that only the resource itself knows: most don't, and looking it up costs more than they do. */
function asksForMore({ policies }: Held, action: string, given: OwnFacts): boolean {
  const known = new Set(Object.keys(given).map((key) => key.toLowerCase()));
  const isOfResource = (key: string) => !known.has(key) && (!key.startsWith('aws:') || key.startsWith('aws:resourcetag/'));
  return asksAbout(policies, action, isOfResource);
}

/** Of an ARN that has one. */
const accountOf = (arn: string) => /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(arn)?.[1];

const isExplicit = ({ decision }: Verdict) => !decision.allowed && decision.explicit;

const SECRETS = 1000;
const ROOT = [compilePolicy({ version: '2012-10-17', statements: [{ sid: undefined, effect: 'Allow', actions: ['*'], notActions: null, resources: ['*'], notResources: null, principal: null, conditions: [] }] })]; // prettier-ignore

/** The role that an ARN names, of whatever account; undefined when there is none. */
export async function findRole(tx: ReadTx, arn: string): Promise<RoleRecord | undefined> {
  const named = parseRoleArn(arn);
  if (named === undefined) return undefined;
  const role = await tx.iamRoles.get({ ...iamScope(named), name: named.name });
  return role?.path === named.path ? role : undefined;
}

/** Services whose text names no resource where there is none. */
const namesNoStar = new Set(['ec2', 'elasticloadbalancing']);

function verdict({ principal, action, resource }: Question, decision: Decision): Verdict {
  if (decision.allowed) return { decision, text: '' };
  const vendor = action.slice(0, action.indexOf(':'));
  const named = resource === '*' && namesNoStar.has(vendor) ? undefined : resource;
  // S3 alone puts the resource in quotes.
  const text = deniedText(principal.arn, action, vendor === 's3' && named !== undefined ? `"${named}"` : named, decision);
  return { decision, text: vendor === 'ec2' ? `You are not authorized to perform this operation. ${text}` : text };
}
