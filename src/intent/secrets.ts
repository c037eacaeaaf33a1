/** Wishes about secrets as a whole: making, describing, deleting and bringing back. */
import type { Random } from '#base/random.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { attachStages, secretIdOf } from '#domain/secret.ts';
import type { SecretRecord } from '#domain/secret.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { findSecret, invalidRequest, invalidSecret, liveSecretOf, secretFault, secretOf } from './secrets-faults.ts';
import { addVersion, sameValue, type SecretDeps, type SecretValue } from './secrets-versions.ts';

export type SecretWish = {
  name: string;
  description: string | null;
  tags: Tag[];
  /** null: a secret without a version so far. */
  value: SecretValue | null;
  /** Id of its first version. */
  token: string;
};

const DAY_MS = 24 * 3600_000;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The same token and value again gives what is there. Throws ResourceExistsException. */
export async function createSecret(deps: SecretDeps, scope: Scope, wish: SecretWish): Promise<SecretRecord> {
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const key = { account, region, name: wish.name };
    const present = await tx.secrets.get(key);
    if (present !== undefined) return await alreadyMade(deps, tx, present, wish);
    if ((await tx.secrets.list({ account, region })).length >= limits.secretsPerRegion) {
      throw secretFault('LimitExceededException', `You've exceeded the maximum number of secrets: ${limits.secretsPerRegion}.`);
    }
    const now = deps.clock.now();
    const fresh = { key, suffix: suffixOf(deps.random), description: wish.description, createdAt: now, changedAt: now };
    const record = { ...fresh, accessedAt: null, deletion: null, tags: wish.tags, policy: null, stages: {} };
    const made = await tx.secrets.put(record, 0);
    if (wish.value === null) return made;
    await addVersion(deps, tx, made, wish.token, wish.value);
    return await tx.secrets.put({ ...made, stages: attachStages({}, wish.token, []) }, made.revision);
  });
}

async function alreadyMade(deps: SecretDeps, tx: ReadTx, present: SecretRecord, wish: SecretWish): Promise<SecretRecord> {
  if (present.deletion !== null) {
    throw invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.");
  }
  const same = wish.value !== null && (await sameValue(deps, tx, present, wish.token, wish.value));
  if (same) return present;
  throw secretFault(
    'ResourceExistsException',
    `The operation failed because the secret ${clip(wish.name)} already exists.`,
    'AlreadyExists',
  );
}

const suffixOf = (random: Random) => Array.from(random.bytes(6), (byte) => LETTERS[byte % LETTERS.length]).join('');

/** `change` gives the members that differ. Refused for one that waits to be removed. */
export async function changeSecret(
  deps: SecretDeps,
  scope: Scope,
  id: string,
  change: (present: SecretRecord) => Partial<Pick<SecretRecord, 'description' | 'tags' | 'policy' | 'accessedAt'>>,
): Promise<SecretRecord> {
  return await deps.store.write(async (tx) => {
    const present = await liveSecretOf(tx, scope, id);
    return await tx.secrets.put({ ...present, ...change(present) }, present.revision);
  });
}

export type DeletionWish = { days?: number | undefined; force?: boolean | undefined };

/** Marks it, or with `force` removes it at once; when the deletion is due. Deleting by force what isn't there is no error. */
export async function deleteSecret(
  deps: SecretDeps,
  scope: Scope,
  id: string,
  wish: DeletionWish,
): Promise<{ secret: SecretRecord | undefined; due: number }> {
  const { least, most } = limits.secretRecoveryDays;
  const { days = most, force = false } = wish;
  if (force && wish.days !== undefined) {
    throw invalidSecret("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  if (!Number.isInteger(days) || days < least || days > most) {
    throw invalidSecret(`RecoveryWindowInDays value must be between ${least} and ${most} days (inclusive).`);
  }
  return await deps.store.write(async (tx) => {
    const now = deps.clock.now();
    const present = force ? await findSecret(tx, scope, id) : await liveSecretOf(tx, scope, id);
    if (present === undefined) return { secret: undefined, due: now };
    if (force) {
      await removeSecret(tx, present);
      return { secret: present, due: now };
    }
    const due = now + days * DAY_MS;
    return { secret: await tx.secrets.put({ ...present, deletion: { at: now, due } }, present.revision), due };
  });
}

/** Also of one that isn't marked. */
export async function restoreSecret(deps: SecretDeps, scope: Scope, id: string): Promise<SecretRecord> {
  return await deps.store.write(async (tx) => {
    const present = await secretOf(tx, scope, id);
    return present.deletion === null ? present : await tx.secrets.put({ ...present, deletion: null }, present.revision);
  });
}

async function removeSecret(tx: WriteTx, secret: SecretRecord): Promise<void> {
  const { account, region } = secret.key;
  for (const version of await tx.secretVersions.list({ account, region, secret: secretIdOf(secret) })) {
    await tx.secretVersions.delete(version.key);
  }
  await tx.secrets.delete(secret.key);
}
