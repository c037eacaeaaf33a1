/** Wishes about a secret's versions and their staging labels. */
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { arnOfSecret, attachStages, CURRENT, dropStage, moveStage, secretContext, secretIdOf, surplusVersions } from '#domain/secret.ts';
import type { SecretRecord } from '#domain/secret.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';
import { invalidSecret, liveSecretOf, noValue, secretFault } from './secrets-faults.ts';
import type { IntentDeps } from './types.ts';

export type SecretDeps = IntentDeps & { vault: Vault };
export type SecretValue = { bytes: Uint8Array; isBinary: boolean };
/** `token`: the new version's id. */
export type ValueWish = { token: string; value: SecretValue; stages: string[] };
export type UpdateWish = { description: string | undefined; value: SecretValue | null; token: string };

/** The same token with the same value again changes nothing. Throws ResourceExistsException when it is another value. */
export async function putSecretValue(deps: SecretDeps, scope: Scope, id: string, wish: ValueWish): Promise<SecretRecord> {
  return await deps.store.write(async (tx) => {
    const present = await liveSecretOf(tx, scope, id);
    return await put(deps, tx, present, wish);
  });
}

/** UpdateSecret: a description, and a value that becomes the current one. */
export async function updateSecret(deps: SecretDeps, scope: Scope, id: string, wish: UpdateWish): Promise<SecretRecord> {
  return await deps.store.write(async (tx) => {
    const present = await liveSecretOf(tx, scope, id);
    const { token, value, description } = wish;
    const changed = value === null ? present : await put(deps, tx, present, { token, value, stages: [CURRENT] });
    if (description === undefined) return changed;
    return await tx.secrets.put({ ...changed, description, changedAt: deps.clock.now() }, changed.revision);
  });
}

async function put(deps: SecretDeps, tx: WriteTx, present: SecretRecord, wish: ValueWish): Promise<SecretRecord> {
  if (await sameValue(deps, tx, present, wish.token, wish.value)) return present;
  await addVersion(deps, tx, present, wish.token, wish.value);
  const stages = attachStages(present.stages, wish.token, wish.stages);
  const { account, region } = present.key;
  const versions = await tx.secretVersions.list({ account, region, secret: secretIdOf(present) });
  for (const old of surplusVersions(stages, versions, limits.secretVersions)) await tx.secretVersions.delete(old.key);
  return await tx.secrets.put({ ...present, stages, changedAt: deps.clock.now() }, present.revision);
}

/** Whether this version is there with this value. Throws ResourceExistsException when it is there with another. */
export async function sameValue(deps: SecretDeps, tx: ReadTx, secret: SecretRecord, id: string, value: SecretValue): Promise<boolean> {
  const { account, region } = secret.key;
  const version = await tx.secretVersions.get({ account, region, secret: secretIdOf(secret), id });
  if (version === undefined) return false;
  const present = deps.vault.decrypt(version.value, secretContext(version.key));
  if (version.isBinary === value.isBinary && present.equals(value.bytes)) return true;
  throw secretFault(
    'ResourceExistsException',
    `You can't use ClientRequestToken ${clip(id)} because that value is already in use for a version of secret ${arnOfSecret(secret)}.`,
    'AlreadyExists',
  );
}

/** The version's row alone. */
export async function addVersion(deps: SecretDeps, tx: WriteTx, secret: SecretRecord, id: string, value: SecretValue): Promise<void> {
  const { account, region } = secret.key;
  const key = { account, region, secret: secretIdOf(secret), id };
  const sealed = deps.vault.encrypt(value.bytes, secretContext(key));
  await tx.secretVersions.put({ key, createdAt: deps.clock.now(), isBinary: value.isBinary, value: sealed }, 0);
}

export type StageWish = { stage: string; from?: string | undefined; to?: string | undefined };

/** UpdateSecretVersionStage, with its texts. */
export async function moveSecretStage(deps: SecretDeps, scope: Scope, id: string, wish: StageWish): Promise<SecretRecord> {
  const { stage, from, to } = wish;
  if (from === undefined && to === undefined) {
    throw invalidSecret('You must specify MoveToVersionId, RemoveFromVersionId, or both.');
  }
  return await deps.store.write(async (tx) => {
    const present = await liveSecretOf(tx, scope, id);
    const { account, region } = present.key;
    const holder = present.stages[stage];
    for (const version of [from, to]) {
      if (version === undefined) continue;
      const found = await tx.secretVersions.get({ account, region, secret: secretIdOf(present), id: version });
      if (found === undefined) throw noValue(`VersionId: ${clip(version)}`);
    }
    if (from !== undefined && holder !== from)
      throw invalidSecret(`The staging label ${clip(stage)} is not attached to version ${clip(from)}.`);
    if (to === undefined && stage === CURRENT) {
      throw invalidSecret(`You can only move staging label ${CURRENT} to a different secret version. It can't be completely removed.`);
    }
    if (to !== undefined && holder !== undefined && holder !== to && from === undefined) {
      throw invalidSecret(
        `The parameter RemoveFromVersionId can't be empty. Staging label ${clip(stage)} is currently attached to version ${holder}, so you must explicitly reference that version in RemoveFromVersionId.`,
      );
    }
    const stages = to === undefined ? dropStage(present.stages, stage) : moveStage(present.stages, stage, to);
    return await tx.secrets.put({ ...present, stages, changedAt: deps.clock.now() }, present.revision);
  });
}
