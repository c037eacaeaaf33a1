/** IAM's records and their ARNs. Source: IAM API reference, version 2010-05-08. */
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

/** IAM is one for all regions of an account. */
export const IAM_REGION = 'global';
export const iamScope = ({ account }: { account: string }): Scope => ({ account, region: IAM_REGION });

export type IamKey = Scope & { name: string };

/** What users and roles have in common. */
export type IamEntity = {
  key: IamKey;
  revision: number;
  /** `AIDA...` of users, `AROA...` of roles: another one for each life of a name. */
  id: string;
  path: string;
  createdAt: number;
  tags: Tag[];
  /** ARN of the managed policy that bounds it. */
  boundary: string | null;
  /** Inline policies by name, as they were written. */
  inline: Record<string, string>;
  /** ARNs of managed policies. */
  attached: string[];
};

export type UserRecord = IamEntity;

export type RoleRecord = IamEntity & {
  description: string;
  maxSessionSeconds: number;
  /** Who may assume it, as it was written. */
  trust: string;
};

/** `secret`: encrypted by the vault, in the context `accessKeyContext`. */
export type AccessKeyRecord = {
  key: Scope & { id: string };
  revision: number;
  user: string;
  active: boolean;
  createdAt: number;
  secret: string;
};

export type PolicyVersion = { id: string; document: string; createdAt: number };

export type PolicyRecord = {
  key: IamKey;
  revision: number;
  id: string;
  path: string;
  description: string;
  createdAt: number;
  updatedAt: number;
  tags: Tag[];
  /** Oldest first. */
  versions: PolicyVersion[];
  defaultVersion: string;
  /** Numbers of versions are never used again. */
  lastVersion: number;
};

export type InstanceProfileRecord = {
  key: IamKey;
  revision: number;
  id: string;
  path: string;
  createdAt: number;
  tags: Tag[];
  role: string | null;
};

/** Grows with every change of the account's IAM: what was compiled of it before is then of the past. */
export type IamStampRecord = { key: Scope; revision: number };

export type IamEntityKind = 'user' | 'role';

const iamArn = (account: string, kind: string, path: string, name: string) => `arn:aws:iam::${account}:${kind}${path}${name}`;
export const entityArn = (kind: IamEntityKind, { key, path }: Pick<IamEntity, 'key' | 'path'>) => iamArn(key.account, kind, path, key.name);
export const policyArn = ({ key, path }: Pick<PolicyRecord, 'key' | 'path'>) => iamArn(key.account, 'policy', path, key.name);
export const instanceProfileArn = ({ key, path }: Pick<InstanceProfileRecord, 'key' | 'path'>) =>
  iamArn(key.account, 'instance-profile', path, key.name);

/** AWS's own policies, whose account is `aws`. */
export const AWS_POLICY = /^arn:aws:iam::aws:policy(\/(?:[\w+=,.@-]+\/)*)([\w+=,.@-]+)$/;
const CUSTOMER_POLICY = /^arn:aws:iam::(\d{12}):policy(\/(?:[!-~]+\/)?)([\w+=,.@-]+)$/;
const ROLE = /^arn:aws:iam::(\d{12}):role(\/(?:[!-~]+\/)?)([\w+=,.@-]+)$/;

export type NamedArn = { account: string; path: string; name: string };

const named = (pattern: RegExp, arn: string): NamedArn | undefined => {
  const [, account, path, name] = pattern.exec(arn) ?? [];
  return account === undefined || path === undefined || name === undefined ? undefined : { account, path, name };
};
export const parseRoleArn = (arn: string): NamedArn | undefined => named(ROLE, arn);
export const parsePolicyArn = (arn: string): NamedArn | undefined => named(CUSTOMER_POLICY, arn);

/** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` */
export const assumedRoleArn = (account: string, role: string, session: string) => `arn:aws:sts::${account}:assumed-role/${role}/${session}`;

export const accessKeyContext = (id: string) => ({ purpose: 'access-key', id });
