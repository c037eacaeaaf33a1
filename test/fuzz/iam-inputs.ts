/** A good input of every operation of IAM and of STS, about what `iamGround` makes. */
const account = '123456789012';

const trust = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: account }, Action: 'sts:AssumeRole' }],
});
const document = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] });
const managed = 'arn:aws:iam::aws:policy/PowerUserAccess';
const own = `arn:aws:iam::${account}:policy/own`;
const Tags = [{ Key: 'team', Value: 'a' }];
const page = { Marker: undefined, MaxItems: 10 };

/** What each operation takes, about things that are there. */
export const iamInputs: Record<string, Record<string, unknown>> = {
  CreateUser: { UserName: 'new', Path: '/a/', PermissionsBoundary: managed, Tags },
  GetUser: { UserName: 'u' },
  ListUsers: { PathPrefix: '/', ...page },
  UpdateUser: { UserName: 'u', NewUserName: 'u', NewPath: '/' },
  DeleteUser: { UserName: 'gone' },
  CreateAccessKey: { UserName: 'u' },
  ListAccessKeys: { UserName: 'u', ...page },
  CreateRole: { RoleName: 'new', Path: '/a/', AssumeRolePolicyDocument: trust, Description: 'd', MaxSessionDuration: 3600, PermissionsBoundary: managed, Tags },
  GetRole: { RoleName: 'r' },
  ListRoles: { PathPrefix: '/', ...page },
  UpdateRole: { RoleName: 'r', Description: 'e', MaxSessionDuration: 7200 },
  UpdateRoleDescription: { RoleName: 'r', Description: 'e' },
  UpdateAssumeRolePolicy: { RoleName: 'r', PolicyDocument: trust },
  DeleteRole: { RoleName: 'gone' },
  PutRolePolicy: { RoleName: 'r', PolicyName: 'p', PolicyDocument: document },
  GetRolePolicy: { RoleName: 'r', PolicyName: 'p' },
  DeleteRolePolicy: { RoleName: 'r', PolicyName: 'p' },
  ListRolePolicies: { RoleName: 'r', ...page },
  AttachRolePolicy: { RoleName: 'r', PolicyArn: managed },
  DetachRolePolicy: { RoleName: 'r', PolicyArn: managed },
  ListAttachedRolePolicies: { RoleName: 'r', PathPrefix: '/', ...page },
  PutRolePermissionsBoundary: { RoleName: 'r', PermissionsBoundary: managed },
  DeleteRolePermissionsBoundary: { RoleName: 'r' },
  TagRole: { RoleName: 'r', Tags },
  UntagRole: { RoleName: 'r', TagKeys: ['team'] },
  ListRoleTags: { RoleName: 'r', ...page },
  PutUserPolicy: { UserName: 'u', PolicyName: 'p', PolicyDocument: document },
  AttachUserPolicy: { UserName: 'u', PolicyArn: own },
  TagUser: { UserName: 'u', Tags },
  CreatePolicy: { PolicyName: 'new', Path: '/a/', PolicyDocument: document, Description: 'd', Tags },
  GetPolicy: { PolicyArn: own },
  DeletePolicy: { PolicyArn: `arn:aws:iam::${account}:policy/gone` },
  CreatePolicyVersion: { PolicyArn: own, PolicyDocument: document, SetAsDefault: true },
  GetPolicyVersion: { PolicyArn: own, VersionId: 'v1' },
  ListPolicyVersions: { PolicyArn: own, ...page },
  SetDefaultPolicyVersion: { PolicyArn: own, VersionId: 'v1' },
  DeletePolicyVersion: { PolicyArn: own, VersionId: 'v9' },
  ListPolicies: { Scope: 'Local', OnlyAttached: false, PathPrefix: '/', PolicyUsageFilter: 'PermissionsPolicy', ...page },
  ListEntitiesForPolicy: { PolicyArn: own, EntityFilter: 'Role', PathPrefix: '/', PolicyUsageFilter: 'PermissionsPolicy', ...page },
  TagPolicy: { PolicyArn: own, Tags },
  UntagPolicy: { PolicyArn: own, TagKeys: ['team'] },
  CreateInstanceProfile: { InstanceProfileName: 'new', Path: '/a/', Tags },
  GetInstanceProfile: { InstanceProfileName: 'i' },
  AddRoleToInstanceProfile: { InstanceProfileName: 'i', RoleName: 'r' },
  RemoveRoleFromInstanceProfile: { InstanceProfileName: 'i', RoleName: 'r' },
  TagInstanceProfile: { InstanceProfileName: 'i', Tags },
  SimulatePrincipalPolicy: { PolicySourceArn: `arn:aws:iam::${account}:role/r`, ActionNames: ['s3:GetObject'], ResourceArns: ['*'], PolicyInputList: [document], ContextEntries: [{ ContextKeyName: 'aws:username', ContextKeyValues: ['u'], ContextKeyType: 'string' }], ...page },
  SimulateCustomPolicy: { PolicyInputList: [document], ActionNames: ['s3:GetObject'], PermissionsBoundaryPolicyInputList: [document], ...page },
  AssumeRole: { RoleArn: `arn:aws:iam::${account}:role/r`, RoleSessionName: 'me', DurationSeconds: 900, ExternalId: 'key', SourceIdentity: 'bob', Policy: document, PolicyArns: [{ arn: managed }], Tags },
}; // prettier-ignore

/** What is there. */
export const iamGround: [name: string, input: object][] = [
  ['CreateUser', { UserName: 'u' }],
  ['CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trust }],
  ['CreatePolicy', { PolicyName: 'own', PolicyDocument: document }],
  ['CreateInstanceProfile', { InstanceProfileName: 'i' }],
];
