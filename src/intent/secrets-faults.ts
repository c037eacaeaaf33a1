/** Secrets Manager's own errors and texts (API reference, version 2017-10-17), and look-ups that throw them. */
import { Fault, type FaultCode } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { arnOfSecret, CURRENT, secretContext, secretIdOf, stagesOf } from '#domain/secret.ts';
import type { SecretRecord, SecretVersionRecord } from '#domain/secret.ts';
import type { ReadTx } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';

export function secretFault(errorName: string, message: string, code: FaultCode = 'InvalidParameter'): Fault {
  return new Fault(code, message, { details: { errorName } });
}

export const invalidSecret = (message: string) => secretFault('InvalidParameterException', message);
export const invalidRequest = (message: string) => secretFault('InvalidRequestException', message, 'Conflict');
export const noSecret = () =>
  secretFault('ResourceNotFoundException', "Secrets Manager can't find the specified secret.", 'ResourceNotFound');
export const noValue = (what: string) =>
  secretFault('ResourceNotFoundException', `Secrets Manager can't find the specified secret value for ${what}`, 'ResourceNotFound');

const ARN = /^arn:aws:secretsmanager:([^:]+):(\d{12}):secret:(.+)$/;
const WITH_SUFFIX = /^(.+)-([A-Za-z0-9]{6})$/;

/** By its name, its ARN, or its ARN without the last six letters; undefined when there is none. */
export async function findSecret(tx: Pick<ReadTx, 'secrets'>, { account, region }: Scope, id: string): Promise<SecretRecord | undefined> {
  const get = (name: string) => tx.secrets.get({ account, region, name });
  if (!id.startsWith('arn:')) return await get(id);
  const [, inRegion, ofAccount, rest = ''] = ARN.exec(id) ?? [];
  if (inRegion !== region || ofAccount !== account) return undefined;
  const [, name, suffix] = WITH_SUFFIX.exec(rest) ?? [];
  const whole = name === undefined ? undefined : await get(name);
  return whole !== undefined && whole.suffix === suffix ? whole : await get(rest);
}

/** Throws ResourceNotFoundException. */
export async function secretOf(tx: Pick<ReadTx, 'secrets'>, scope: Scope, id: string): Promise<SecretRecord> {
  const found = await findSecret(tx, scope, id);
  if (found === undefined) throw noSecret();
  return found;
}

/** Throws InvalidRequestException for one that waits to be removed. */
export async function liveSecretOf(tx: Pick<ReadTx, 'secrets'>, scope: Scope, id: string): Promise<SecretRecord> {
  const found = await secretOf(tx, scope, id);
  if (found.deletion !== null) throw invalidRequest("You can't perform this operation on the secret because it was marked for deletion.");
  return found;
}

export type VersionWish = { versionId?: string | undefined; stage?: string | undefined };
export type OpenedSecret = { secret: SecretRecord; version: SecretVersionRecord; arn: string; stages: string[]; value: Buffer };

/** A version's value: the one of this id, of this staging label, or the current one. Throws as GetSecretValue does. */
export async function openSecret(tx: ReadTx, vault: Vault, scope: Scope, id: string, wish: VersionWish): Promise<OpenedSecret> {
  const secret = await liveSecretOf(tx, scope, id);
  const { versionId, stage } = wish;
  const wanted = versionId ?? secret.stages[stage ?? CURRENT];
  if (wanted === undefined) throw noValue(`staging label: ${clip(stage ?? CURRENT)}`);
  if (versionId !== undefined && stage !== undefined && secret.stages[stage] !== versionId) {
    throw invalidRequest('You provided a VersionStage that is not associated to the provided VersionId.');
  }
  const { account, region } = secret.key;
  const version = await tx.secretVersions.get({ account, region, secret: secretIdOf(secret), id: wanted });
  if (version === undefined) throw noValue(`VersionId: ${clip(wanted)}`);
  const value = vault.decrypt(version.value, secretContext(version.key));
  return { secret, version, arn: arnOfSecret(secret), stages: stagesOf(secret.stages, wanted), value };
}
