/** IAM's own errors (API reference, version 2010-05-08), look-ups that throw them, and what every change of IAM has in common. */
import { Fault, type FaultCode } from '#base/fault.ts';
import type { Random } from '#base/random.ts';
import { iamScope, type IamEntity, type IamEntityKind, type PolicyRecord, type RoleRecord } from '#domain/iam.ts';
import { AWS_POLICY, parsePolicyArn } from '#domain/iam.ts';
import { clip } from '#domain/names.ts';
import type { ReadTx, WritableRows, WriteTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export type Account = { account: string };

export function iamFault(errorName: string, message: string, code: FaultCode = 'InvalidParameter'): Fault {
  return new Fault(code, message, { details: { errorName } });
}

export const noSuchEntity = (text: string) => iamFault('NoSuchEntity', text, 'ResourceNotFound');
export const alreadyExists = (text: string) => iamFault('EntityAlreadyExists', text, 'AlreadyExists');
export const deleteConflict = (text: string) => iamFault('DeleteConflict', text, 'Conflict');
export const limitExceeded = (text: string) => iamFault('LimitExceeded', text, 'LimitExceeded');

/** A change, and with it another stamp: what was compiled of the account's IAM before is asked no more once this is committed. */
export async function changeIam<T>(deps: IntentDeps, of: Account, change: (tx: WriteTx) => Promise<T>): Promise<T> {
  return await deps.store.write(async (tx) => {
    const done = await change(tx);
    const key = iamScope(of);
    await tx.iamStamps.put({ key }, (await tx.iamStamps.get(key))?.revision ?? 0);
    return done;
  });
}

/** Users and roles as far as they are alike. */
export function entityRows(tx: WriteTx, kind: IamEntityKind): WritableRows<IamEntity> {
  return (kind === 'user' ? tx.iamUsers : tx.iamRoles) as WritableRows<IamEntity>;
}

export async function entityOf(tx: ReadTx, of: Account, kind: IamEntityKind, name: string): Promise<IamEntity> {
  const key = { ...iamScope(of), name };
  const found: IamEntity | undefined = kind === 'user' ? await tx.iamUsers.get(key) : await tx.iamRoles.get(key);
  if (found === undefined) throw noSuchEntity(`The ${kind} with name ${clip(name)} cannot be found.`);
  return found;
}

export async function roleOf(tx: ReadTx, of: Account, name: string): Promise<RoleRecord> {
  return (await entityOf(tx, of, 'role', name)) as RoleRecord;
}

/** A policy of the account's own. */
export async function policyOf(tx: ReadTx, of: Account, arn: string): Promise<PolicyRecord> {
  const named = parsePolicyArn(arn);
  const found = named?.account === of.account ? await tx.iamPolicies.get({ ...iamScope(of), name: named.name }) : undefined;
  if (found === undefined || found.path !== named?.path) {
    if (!arn.startsWith('arn:')) throw iamFault('InvalidInput', `ARN ${clip(arn)} is not valid.`);
    throw noSuchEntity(`Policy ${clip(arn)} was not found.`);
  }
  return found;
}

export const isAwsPolicy = (arn: string) => AWS_POLICY.test(arn);

const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** `AIDA...`, 21 characters as AWS's; of access keys 20. Its alphabet has a power of two letters, so every one is as likely. */
export function uniqueId(random: Random, prefix: 'AIDA' | 'AROA' | 'ANPA' | 'AIPA' | 'AKIA' | 'ASIA'): string {
  const count = prefix === 'AKIA' || prefix === 'ASIA' ? 16 : 17;
  return prefix + Array.from(random.bytes(count), (byte) => ID_LETTERS[byte % ID_LETTERS.length]).join('');
}
