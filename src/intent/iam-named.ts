/**
 * Whom policies of resources name. A user or role that is named is meant itself, by its id: another that is made later under its name is not. So whoever
 * is deleted leaves their id where their ARN stood. Source: IAM user guide, "AWS JSON policy elements: Principal".
 */
import { entityArn, iamScope, type IamEntity, type IamEntityKind } from '#domain/iam.ts';
import { parsePolicy } from '#policy/index.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { iamFault, type Account } from './iam-faults.ts';

/** Throws MalformedPolicyDocument for a user or role of the account that isn't there. Those of other accounts can't be seen from here. */
export async function assertPrincipals(tx: ReadTx, of: Account, trust: string): Promise<void> {
  for (const { principal } of parsePolicy(trust, 'trust').statements) {
    for (const name of principal?.names['AWS'] ?? []) {
      if (await isThere(tx, of, name)) continue;
      throw iamFault('MalformedPolicyDocument', `Invalid principal in policy: "AWS":"${name}"`);
    }
  }
}

async function isThere(tx: ReadTx, of: Account, arn: string): Promise<boolean> {
  const [, account, kind, name = ''] = /^arn:[^:]*:iam::(\d{12}):(user|role)\/(?:.*\/)?([^/]+)$/.exec(arn) ?? [];
  if (account !== of.account) return true;
  const key = { ...iamScope(of), name };
  const found = kind === 'user' ? await tx.iamUsers.get(key) : await tx.iamRoles.get(key);
  return found !== undefined && entityArn(kind as IamEntityKind, found) === arn;
}

/** In all policies of the account's roles, secrets and repositories: `to` is the id of who is deleted, or the ARN that they have from now on. */
export async function renamePrincipal(tx: WriteTx, of: Account, kind: IamEntityKind, entity: IamEntity, to: string): Promise<void> {
  const arn = entityArn(kind, entity);
  const { account } = of;
  for (const role of await tx.iamRoles.list(iamScope(of))) {
    const trust = renamed(role.trust, arn, to);
    if (trust !== role.trust) await tx.iamRoles.put({ ...role, trust }, role.revision);
  }
  for (const secret of await tx.secrets.list({ account })) {
    const policy = renamed(secret.policy, arn, to);
    if (policy !== secret.policy) await tx.secrets.put({ ...secret, policy }, secret.revision);
  }
  for (const repository of await tx.ecrRepositories.list({ account })) {
    const policy = renamed(repository.policy, arn, to);
    if (policy !== repository.policy) await tx.ecrRepositories.put({ ...repository, policy }, repository.revision);
  }
}

type Statement = Record<'Principal' | 'NotPrincipal', string | Record<string, string | string[]> | undefined>;

/** The text stays as it was written where the principal isn't named: an ARN may stand in a condition as well. */
function renamed<T extends string | null>(policy: T, arn: string, to: string): T | string {
  if (policy === null || !policy.includes(arn)) return policy;
  const document = JSON.parse(policy) as { Statement: Statement | Statement[] };
  let found = false;
  for (const statement of [document.Statement].flat()) {
    for (const element of [statement.Principal, statement.NotPrincipal]) {
      if (typeof element !== 'object') continue;
      const names = [element['AWS'] ?? []].flat();
      if (!names.includes(arn)) continue;
      found = true;
      const others = names.map((name) => (name === arn ? to : name));
      element['AWS'] = others.length === 1 ? (others[0] ?? to) : others;
    }
  }
  return found ? JSON.stringify(document) : policy;
}
