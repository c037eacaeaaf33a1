/** Bad input to every operation of IAM and to AssumeRole: one of AWS's errors, never one of our own, and nothing changed. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import * as fc from 'fast-check';
import type { CallContext, Operation } from '#gateway/types.ts';
import { createStsApi } from '../sts/index.ts';
import { isDoneOrRefused, oddNumbers, oddTexts, spoiledCalls } from '../../../test/fuzz/calls.ts';
import { account, openIamPlatform } from '../../../test/iam/platform.ts';
import { iamErrors } from './errors.ts';
import { createIamApi } from './index.ts';

const RUNS = 400;
const LONG = 60;

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
const good: Record<string, Record<string, unknown>> = {
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

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let operations: Map<string, Operation>;

const context: CallContext = {
  account,
  region: 'us-east-1',
  requestId: 'r',
  principal: { account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId: 'k' },
  assertAllowed: async () => {},
  sourceIp: '127.0.0.1',
  userAgent: 'test',
};
const call = async (name: string, input: unknown) => await operations.get(name)?.handle(input, context);
const written = () =>
  platform.store.read(
    async (tx) =>
    JSON.stringify([await tx.iamUsers.list({}), await tx.iamRoles.list({}), await tx.iamPolicies.list({}), await tx.iamAccessKeys.list({}), await tx.iamInstanceProfiles.list({}), await tx.iamStamps.list({})]), // prettier-ignore
  );

before(async () => {
  platform = await openIamPlatform();
  const deps = { store: platform.store, clock: platform.clock, random: platform.random, identity: platform.identity };
  operations = new Map(
    [...createIamApi(deps).operations, ...createStsApi(deps).operations].map((operation) => [operation.name, operation]),
  );
  await call('CreateUser', { UserName: 'u' });
  await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trust });
  await call('CreatePolicy', { PolicyName: 'own', PolicyDocument: document });
  await call('CreateInstanceProfile', { InstanceProfileName: 'i' });
});

after(() => platform?.close());

it('every operation takes what it should', async () => {
  for (const [name, input] of Object.entries(good)) {
    assert.ok(operations.has(name), name);
    await isDoneOrRefused({ name, input }, { call, written, errors: iamErrors, statuses: [400, 403, 404, 409] });
  }
});

it('whatever is sent, it is done or refused, and nothing is half done', async () => {
  let refused = 0;
  const junk = fc.constantFrom(
    ...oddTexts,
    ...oddNumbers,
    '{"Version":"2012-10-17","Statement":[{}]}',
    'arn:aws:iam::1:role/x',
    '${aws:username}',
  );
  await fc.assert(
    fc.asyncProperty(spoiledCalls(good, Object.keys(good), junk, LONG), async (one) => {
      const done = await isDoneOrRefused(one, { call, written, errors: iamErrors, statuses: [400, 403, 404, 409] });
      if (!done) refused++;
    }),
    { numRuns: RUNS },
  );
  assert.ok(refused > RUNS / 4, `${refused} of ${RUNS} were refused`);
});
