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
  type Decision,
  type PolicyRequest,
  type PolicySet,
} from '#policy/index.ts';
import type { ReadTx, Store } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';
import { factsOf, toldBy, type Told } from './facts.ts';
import { compiledAs, createPolicyCache, createStamps, remember, stampOf } from './policies.ts';
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
    if (before !== undefined && (await stamps(before.principal.account)) === before.stamp) return before;
    const found = await store.read(async (tx): Promise<KnownKey | undefined> => {
      const key = await tx.accessKeyById(id);
      if (key === undefined || !key.active) return undefined;
      const user = await tx.iamUsers.get({ ...iamScope(key.key), name: key.user });
      if (user === undefined) return undefined;
      const stamp = await stampOf(tx, key.key.account);
      return { stamp, secret: secretOf(id, key.secret), principal: pinned({ ...userPrincipal(user), accessKeyId: id }, stamp) };
    });
    if (found === undefined) return void keys.delete(id);
    remember(keys, id, found, SECRETS);
    return found;
  };

  /** What was found out of principals that stand for one stamp of their account, so that what a call asks holds until its end. */
  const held = new WeakMap<Principal, Held | null>();

  const pinned = (principal: Principal, stamp: number): Principal => {
    cache.pin(principal, stamp);
    held.set(principal, null);
    return principal;
  };

  const heldBy = async (principal: Principal): Promise<Held> => {
    const { tags, identity, boundary } = await cache.of(principal);
    const policies = { identity: principal.actor === undefined ? ROOT : identity, boundary, session: cache.session(principal) };
    const found: Held = { policies, tags: { ...tags, ...principal.session?.tags } };
    if (held.has(principal)) held.set(principal, found);
    return found;
  };

  const judge = async (question: Question): Promise<Verdict> => judgeBy(await heldBy(question.principal), question, toldBy(question.facts));

  return {
    async lookup(accessKeyId, token) {
      if (!accessKeyId.startsWith('ASIA')) return await userKey(accessKeyId);
      const sealed = token === undefined ? undefined : sessions.read(accessKeyId, token);
      if (sealed === undefined || token === undefined) return undefined;
      const { secret } = sealed;
      const stamp = sealed.principal.actor === undefined ? 0 : await stamps(sealed.principal.account);
      const principal = pinned({ ...sealed.principal }, stamp);
      return { secret, principal, sessionToken: token, ...(principal.session && { expiresAt: principal.session.expiresAt }) };
    },
    judge,
    async assertAllowed(principal, action, resources, call, facts) {
      if (mayDoAll(principal)) return;
      const has = held.get(principal) ?? (await heldBy(principal));
      for (const one of resources.length === 0 ? ['*'] : resources) {
        const { arn, alias, facts: own, about, policy } = typeof one === 'string' ? { arn: one } : one;
        // The call's own word comes first: a permissions boundary that it sets before the one that is there.
        const given = toldBy(own, facts);
        const lookUp = about !== undefined && (policy !== undefined || asksForMore(has, action, given));
        const told = lookUp ? toldBy(await about(), own, facts) : given;
        const ask = (resource: string) => {
          const question = { principal, action, resource, call };
          return policy === undefined ? judgeBy(has, question, told) : judgeOn(has, policy, question, told);
        };
        const said = ask(arn);
        const other = alias === undefined ? said : ask(alias);
        const verdict = isExplicit(other) || (!said.decision.allowed && other.decision.allowed && !isExplicit(said)) ? other : said;
        if (!verdict.decision.allowed) throw new Fault('AccessDenied', verdict.text);
      }
    },
    async judgeAssume(role, question) {
      const { principal } = question;
      const has = await heldBy(principal);
      const trust = compiledAs('trust', role.trust);
      const same = principal.account === role.key.account;
      return verdict(
        question,
        decideOnResource(trust, has.policies, askerOf(principal), same, requestOf(has, question, toldBy(question.facts))),
      );
    },
    assumeForService(role, { service, sessionName, seconds, facts }) {
      const trust = compiledAs('trust', role.trust);
      const own = { 'aws:PrincipalIsAWSService': 'true', 'aws:CurrentTime': new Date(clock.now()).toISOString() };
      const told = toldBy(facts, own);
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

type Asked = Omit<Question, 'facts'>;

/** What all policies are asked. */
function requestOf({ tags }: Held, asked: Asked, told: Told): PolicyRequest {
  return { action: asked.action, resource: asked.resource, facts: factsOf(asked, told, tags) };
}

const judgeBy = (held: Held, asked: Asked, told: Told): Verdict => verdict(asked, decide(held.policies, requestOf(held, asked, told)));

/** Where the resource has a policy of its own: within an account either may allow, and what either denies is denied. */
function judgeOn(held: Held, policy: string, asked: Asked, told: Told): Verdict {
  const request = requestOf(held, asked, told);
  const own = compiledAs('resource', policy);
  const decision = decideOnResource(own, held.policies, askerOf(asked.principal), true, request);
  const isClear = decision.allowed || decision.explicit;
  return verdict(asked, isClear ? decision : decide(held.policies, request));
}

/** Whether the caller's policies on an action name keys that only the resource itself knows: most don't, and looking it up costs more than they do. */
function asksForMore({ policies }: Held, action: string, given: Told): boolean {
  const isOfResource = (key: string) => !given.has(key) && (!key.startsWith('aws:') || key.startsWith('aws:resourcetag/'));
  return asksAbout(policies, action, isOfResource);
}

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

const ALLOWED: Verdict = { decision: { allowed: true }, text: '' };

/** Services whose text names no resource where there is none. */
const namesNoStar = new Set(['ec2', 'elasticloadbalancing']);

function verdict({ principal, action, resource }: Asked, decision: Decision): Verdict {
  if (decision.allowed) return ALLOWED;
  const vendor = action.slice(0, action.indexOf(':'));
  const named = resource === '*' && namesNoStar.has(vendor) ? undefined : resource;
  // S3 alone puts the resource in quotes.
  const text = deniedText(principal.arn, action, vendor === 's3' && named !== undefined ? `"${named}"` : named, decision);
  return { decision, text: vendor === 'ec2' ? `You are not authorized to perform this operation. ${text}` : text };
}
