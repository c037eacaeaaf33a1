/** Principals of users, roles and services, and how resources' policies see them. */
import { assumedRoleArn, entityArn, type RoleRecord, type UserRecord } from '#domain/iam.ts';
import type { Principal } from '#domain/records.ts';
import type { Asker } from '#policy/index.ts';

export function userPrincipal(user: UserRecord): Omit<Principal, 'accessKeyId'> {
  const { account, name } = user.key;
  return { account, arn: entityArn('user', user), userId: user.id, actor: { kind: 'user', name, id: user.id } };
}

export function rolePrincipal(role: RoleRecord, sessionName: string): Omit<Principal, 'accessKeyId'> {
  const { account, name } = role.key;
  return {
    account,
    arn: assumedRoleArn(account, name, sessionName),
    userId: `${role.id}:${sessionName}`,
    actor: { kind: 'role', name, id: role.id, arn: entityArn('role', role) },
  };
}

/** The role behind a session. */
export function roleArnOf({ actor }: Principal): string | undefined {
  return actor?.kind === 'role' ? actor.arn : undefined;
}

export function askerOf(principal: Principal): Asker {
  const roleArn = roleArnOf(principal);
  return { kind: 'aws', account: principal.account, arn: principal.arn, ...(roleArn === undefined ? {} : { roleArn }) };
}
