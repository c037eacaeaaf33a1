/** The policies of a principal, compiled once for as long as nothing of the account's IAM changes. */
import { iamScope, type IamEntity } from '#domain/iam.ts';
import { parsePolicyArn } from '#domain/iam.ts';
import type { Principal } from '#domain/records.ts';
import { awsManagedPolicy, compilePolicy, joinPolicies, parsePolicy, type CompiledPolicy, type PolicySet } from '#policy/index.ts';
import type { ReadTx, Store } from '#store/types.ts';

export type PrincipalPolicies = Omit<PolicySet, 'session'> & { tags: Record<string, string> };

export type PolicyCache = {
  /** That the account's stamp was this when the caller's key was looked up: all that one call asks is then answered without reading it again. */
  pin(principal: Principal, stamp: number): void;
  /** Those that hold now: the account's stamp is read with each question. A principal that is gone has none, and so may nothing. */
  of(principal: Principal): Promise<PrincipalPolicies>;
  /** The policies of a session, by its access key. */
  session(principal: Principal): readonly CompiledPolicy[] | null;
};

const NOTHING: PrincipalPolicies = { identity: [], boundary: null, tags: {} };
const PRINCIPALS = 2000;
const SESSIONS = 500;

export function createPolicyCache(store: Pick<Store, 'read'>): PolicyCache {
  const known = new Map<string, { stamp: number; policies: PrincipalPolicies }>();
  const sessions = new Map<string, readonly CompiledPolicy[]>();
  const pinned = new WeakMap<Principal, number>();
  return {
    pin: (principal, stamp) => void pinned.set(principal, stamp),
    async of(principal) {
      const { actor, account } = principal;
      if (actor === undefined) return NOTHING;
      const name = `${account}/${actor.kind}/${actor.name}/${actor.id}`;
      const held = known.get(name);
      if (held !== undefined && held.stamp === pinned.get(principal)) return held.policies;
      return await store.read(async (tx) => {
        const stamp = await stampOf(tx, account);
        const before = known.get(name);
        if (before?.stamp === stamp) return before.policies;
        const policies = await load(tx, principal);
        remember(known, name, { stamp, policies }, PRINCIPALS);
        return policies;
      });
    },
    session({ accessKeyId, session }) {
      if (session === undefined || session.policies === null) return null;
      const before = sessions.get(accessKeyId);
      if (before !== undefined) return before;
      const compiled = session.policies.map(compileText);
      remember(sessions, accessKeyId, compiled, SESSIONS);
      return compiled;
    },
  };
}

/** Stamps as they were last read, so that a call of a known key reads nothing; forgotten when any is written, before whoever wrote it is answered. */
export function createStamps(store: Pick<Store, 'read' | 'onChange'>): (account: string) => Promise<number> {
  const known = new Map<string, number>();
  store.onChange(['iamStamps'], () => known.clear());
  return async (account) =>
    known.get(account) ??
    (await store.read(async (tx) => {
      const stamp = await stampOf(tx, account);
      // Still inside the transaction: a write can only follow, and is told of.
      known.set(account, stamp);
      return stamp;
    }));
}

/** One more with each change of the account's IAM. */
export async function stampOf(tx: ReadTx, account: string): Promise<number> {
  return (await tx.iamStamps.get(iamScope({ account })))?.revision ?? 0;
}

export function remember<T>(map: Map<string, T>, name: string, value: T, max: number): void {
  const [oldest] = map.keys();
  if (map.size >= max && oldest !== undefined) map.delete(oldest);
  map.set(name, value);
}

async function load(tx: ReadTx, principal: Principal): Promise<PrincipalPolicies> {
  const { actor } = principal;
  if (actor === undefined) return NOTHING;
  const key = { ...iamScope(principal), name: actor.name };
  const entity = actor.kind === 'user' ? await tx.iamUsers.get(key) : await tx.iamRoles.get(key);
  // The same name again is another principal.
  return entity === undefined || entity.id !== actor.id ? NOTHING : await policiesOf(tx, entity);
}

/** What a user or role has itself. */
export async function policiesOf(tx: ReadTx, entity: IamEntity): Promise<PrincipalPolicies> {
  const documents = Object.values(entity.inline);
  for (const arn of entity.attached) documents.push(await managedDocument(tx, arn));
  const boundary = entity.boundary === null ? null : await managedDocument(tx, entity.boundary);
  return {
    identity: [joinPolicies(documents.map(compileText))],
    boundary: boundary === null ? null : compileText(boundary),
    tags: Object.fromEntries(entity.tags.map(({ key, value }) => [key, value])),
  };
}

export const compileText = (document: string): CompiledPolicy => compilePolicy(parsePolicy(document, 'identity'));

const TEXTS = 500;
const compiledTexts = { trust: new Map<string, CompiledPolicy>(), resource: new Map<string, CompiledPolicy>() };

/** A policy of a role or of a resource, which comes with its record; by its text, since a task asks for its roles again and again. */
export function compiledAs(use: keyof typeof compiledTexts, document: string): CompiledPolicy {
  const known = compiledTexts[use].get(document);
  if (known !== undefined) return known;
  const compiled = compilePolicy(parsePolicy(document, use));
  remember(compiledTexts[use], document, compiled, TEXTS);
  return compiled;
}

/** Nothing is allowed by a policy that isn't there. */
const EMPTY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"*","Resource":"*"}]}';

export async function managedDocument(tx: ReadTx, arn: string): Promise<string> {
  const own = parsePolicyArn(arn);
  if (own === undefined) return awsManagedPolicy(arn)?.document ?? EMPTY;
  const record = await tx.iamPolicies.get({ ...iamScope({ account: own.account }), name: own.name });
  return record?.versions.find(({ id }) => id === record.defaultVersion)?.document ?? EMPTY;
}
