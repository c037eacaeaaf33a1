/** Wishes about the registry's repositories, and about the outside registries that it mirrors. */
import { limits } from '#base/limits.ts';
import type { PullThroughRecord, RepositoryRecord } from '#domain/ecr.ts';
import { REPOSITORY_NAME } from '#domain/ecr.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { WriteTx } from '#store/types.ts';
import { ecrFault, invalidEcr, repositoryOf } from './ecr-faults.ts';
import type { IntentDeps } from './types.ts';

export type RepositoryWish = Pick<RepositoryRecord, 'mutability' | 'exclusions' | 'scanOnPush' | 'encryption' | 'tags'>;

export const PLAIN_REPOSITORY: RepositoryWish = {
  mutability: 'MUTABLE',
  exclusions: [],
  scanOnPush: false,
  encryption: { type: 'AES256', kmsKey: null },
  tags: [],
};

/** Throws RepositoryAlreadyExistsException, LimitExceededException. */
export async function createRepository(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  wish: RepositoryWish,
): Promise<RepositoryRecord> {
  assertRepositoryName(name);
  const createdAt = deps.clock.now();
  return await deps.store.write(async (tx) => {
    if ((await tx.ecrRepositories.get({ account, region, name })) !== undefined) {
      const text = `The repository with name '${name}' already exists in the registry with id '${account}'`;
      throw ecrFault('RepositoryAlreadyExistsException', text, 'AlreadyExists');
    }
    return await insert(tx, { account, region }, name, wish, createdAt);
  });
}

/** For what is pulled through: as CreateRepository would make it. */
export async function ensureRepository(deps: IntentDeps, { account, region }: Scope, name: string): Promise<RepositoryRecord> {
  assertRepositoryName(name);
  const createdAt = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const present = await tx.ecrRepositories.get({ account, region, name });
    return present ?? (await insert(tx, { account, region }, name, PLAIN_REPOSITORY, createdAt));
  });
}

async function insert(
  tx: WriteTx,
  { account, region }: Scope,
  name: string,
  wish: RepositoryWish,
  createdAt: number,
): Promise<RepositoryRecord> {
  if ((await tx.ecrRepositories.list({ account, region })).length >= limits.repositoriesPerRegion) {
    const text = `The repository with name '${name}' cannot be created: the quota of ${limits.repositoriesPerRegion} repositories per registry is reached`;
    throw ecrFault('LimitExceededException', text, 'LimitExceeded');
  }
  const record = { ...wish, key: { account, region, name }, createdAt, policy: null, lifecycle: null, preview: null };
  return await tx.ecrRepositories.put(record, 0);
}

function assertRepositoryName(name: string): void {
  if (name.length >= 2 && name.length <= 256 && REPOSITORY_NAME.test(name)) return;
  const rule = '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*';
  throw invalidEcr(
    `Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '${rule}' and have 2 to 256 characters'`,
  );
}

export async function changeRepository(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  change: (present: RepositoryRecord) => Partial<Omit<RepositoryRecord, 'key' | 'revision'>>,
): Promise<RepositoryRecord> {
  return await deps.store.write(async (tx) => {
    const present = await repositoryOf(tx, scope, name);
    return await tx.ecrRepositories.put({ ...present, ...change(present) }, present.revision);
  });
}

/** `force`: with its images. Throws RepositoryNotEmptyException. */
export async function deleteRepository(deps: IntentDeps, scope: Scope, name: string, force: boolean): Promise<RepositoryRecord> {
  const of = { account: scope.account, region: scope.region, repository: name };
  return await deps.store.write(async (tx) => {
    const present = await repositoryOf(tx, scope, name);
    const images = await tx.ecrImages.list(of);
    if (images.length > 0 && !force) {
      const text = `The repository with name '${name}' in registry with id '${scope.account}' cannot be deleted because it still contains images`;
      throw ecrFault('RepositoryNotEmptyException', text, 'Conflict');
    }
    for (const { key } of images) await tx.ecrImages.delete(key);
    for (const { key } of await tx.ecrTags.list(of)) await tx.ecrTags.delete(key);
    for (const { key } of await tx.ecrLayers.list(of)) await tx.ecrLayers.delete(key);
    await tx.ecrRepositories.delete(present.key);
    return present;
  });
}

export type PullThroughWish = Omit<PullThroughRecord, 'key' | 'revision' | 'createdAt' | 'updatedAt'>;

export async function createPullThroughRule(
  deps: IntentDeps,
  { account, region }: Scope,
  prefix: string,
  wish: PullThroughWish,
): Promise<PullThroughRecord> {
  const createdAt = deps.clock.now();
  return await deps.store.write(async (tx) => {
    if ((await tx.pullThroughRules.get({ account, region, prefix })) !== undefined) {
      const text = `A pull through cache rule with the prefix '${prefix}' already exists in the registry with id '${account}'`;
      throw ecrFault('PullThroughCacheRuleAlreadyExistsException', text, 'AlreadyExists');
    }
    if ((await tx.pullThroughRules.list({ account, region })).length >= limits.pullThroughRules) {
      throw ecrFault(
        'LimitExceededException',
        `The quota of ${limits.pullThroughRules} pull through cache rules is reached`,
        'LimitExceeded',
      );
    }
    return await tx.pullThroughRules.put({ ...wish, key: { account, region, prefix }, createdAt, updatedAt: createdAt }, 0);
  });
}

export const pullThroughRuleNotFound = ({ account }: Scope, prefix: string) =>
  ecrFault(
    'PullThroughCacheRuleNotFoundException',
    `The pull through cache rule with the prefix '${clip(prefix)}' does not exist in the registry with id '${account}'`,
    'ResourceNotFound',
  );

export async function changePullThroughRule(
  deps: IntentDeps,
  { account, region }: Scope,
  prefix: string,
  change: Partial<PullThroughWish>,
): Promise<PullThroughRecord> {
  const updatedAt = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const present = await tx.pullThroughRules.get({ account, region, prefix });
    if (present === undefined) throw pullThroughRuleNotFound({ account, region }, prefix);
    return await tx.pullThroughRules.put({ ...present, ...change, updatedAt }, present.revision);
  });
}

export async function deletePullThroughRule(deps: IntentDeps, { account, region }: Scope, prefix: string): Promise<PullThroughRecord> {
  return await deps.store.write(async (tx) => {
    const present = await tx.pullThroughRules.get({ account, region, prefix });
    if (present === undefined) throw pullThroughRuleNotFound({ account, region }, prefix);
    await tx.pullThroughRules.delete(present.key);
    return present;
  });
}
