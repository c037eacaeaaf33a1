/** Records in IAM's words. */
import { hash } from 'node:crypto';
import type { AccessKeyMetadata, InstanceProfile, Policy, Role, User } from '@aws-sdk/client-iam';
import { entityArn, instanceProfileArn, policyArn } from '#domain/iam.ts';
import type {
  AccessKeyRecord,
  IamEntity,
  InstanceProfileRecord,
  PolicyRecord,
  PolicyVersion,
  RoleRecord,
  UserRecord,
} from '#domain/iam.ts';
import type { Tag } from '#domain/task.ts';
import type { AwsManagedPolicy } from '#policy/index.ts';

/** Documents travel URL-encoded (RFC 3986). */
export const encodeDocument = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

export const tagViews = (tags: readonly Tag[]) => tags.map(({ key, value }) => ({ Key: key, Value: value }));

/** IAM says `Policy`, whatever its model's enumeration lists. */
const boundaryView = ({ boundary }: IamEntity) =>
  boundary === null
    ? {}
    : { PermissionsBoundary: { PermissionsBoundaryType: 'Policy' as 'PermissionsBoundaryPolicy', PermissionsBoundaryArn: boundary } };

/** Lists leave out tags and boundary. */
export function userView(user: UserRecord, whole = true): User {
  return {
    Path: user.path,
    UserName: user.key.name,
    UserId: user.id,
    Arn: entityArn('user', user),
    CreateDate: new Date(user.createdAt),
    ...(whole ? { ...boundaryView(user), ...(user.tags.length > 0 ? { Tags: tagViews(user.tags) } : {}) } : {}),
  };
}

export function roleView(role: RoleRecord, whole = true): Role {
  return {
    Path: role.path,
    RoleName: role.key.name,
    RoleId: role.id,
    Arn: entityArn('role', role),
    CreateDate: new Date(role.createdAt),
    AssumeRolePolicyDocument: encodeDocument(role.trust),
    MaxSessionDuration: role.maxSessionSeconds,
    ...(role.description === '' ? {} : { Description: role.description }),
    ...(whole ? { ...boundaryView(role), ...(role.tags.length > 0 ? { Tags: tagViews(role.tags) } : {}), RoleLastUsed: {} } : {}),
  };
}

export type Counts = { attached: number; bounds: number };

export function policyView(policy: PolicyRecord, counts: Counts, whole = true): Policy {
  return {
    PolicyName: policy.key.name,
    PolicyId: policy.id,
    Arn: policyArn(policy),
    Path: policy.path,
    DefaultVersionId: policy.defaultVersion,
    AttachmentCount: counts.attached,
    PermissionsBoundaryUsageCount: counts.bounds,
    IsAttachable: true,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
    ...(whole && policy.description !== '' ? { Description: policy.description } : {}),
    ...(whole ? { Tags: tagViews(policy.tags) } : {}),
  };
}

export function awsPolicyView(arn: string, policy: Omit<AwsManagedPolicy, 'document'>, counts: Counts): Policy {
  const name = arn.slice(arn.lastIndexOf('/') + 1);
  return {
    PolicyName: name,
    // AWS's own ids aren't published; this one stays the same for the name.
    PolicyId: `ANPA${hash('sha256', arn, 'hex').toUpperCase().slice(0, 17)}`,
    Arn: arn,
    Path: arn.slice(arn.indexOf(':policy') + ':policy'.length, arn.lastIndexOf('/') + 1),
    DefaultVersionId: policy.version,
    AttachmentCount: counts.attached,
    PermissionsBoundaryUsageCount: counts.bounds,
    IsAttachable: true,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
  };
}

export function instanceProfileView(profile: InstanceProfileRecord, role: RoleRecord | undefined): InstanceProfile {
  return {
    Path: profile.path,
    InstanceProfileName: profile.key.name,
    InstanceProfileId: profile.id,
    Arn: instanceProfileArn(profile),
    CreateDate: new Date(profile.createdAt),
    Roles: role === undefined ? [] : [roleView(role, false)],
    ...(profile.tags.length > 0 ? { Tags: tagViews(profile.tags) } : {}),
  };
}

export function accessKeyView(key: AccessKeyRecord): AccessKeyMetadata {
  return {
    UserName: key.user,
    AccessKeyId: key.key.id,
    Status: key.active ? 'Active' : 'Inactive',
    CreateDate: new Date(key.createdAt),
  };
}

export function versionView({ id, document, createdAt }: PolicyVersion, current: string, whole: boolean) {
  return {
    VersionId: id,
    IsDefaultVersion: id === current,
    CreateDate: new Date(createdAt),
    ...(whole ? { Document: encodeDocument(document) } : {}),
  };
}

export const attachedViews = ({ attached }: IamEntity) =>
  attached.map((arn) => ({ PolicyName: arn.slice(arn.lastIndexOf('/') + 1), PolicyArn: arn }));
