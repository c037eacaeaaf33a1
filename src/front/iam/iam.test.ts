import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as api from '@aws-sdk/client-iam';
import { account, openIamPlatform } from '../../../test/iam/platform.ts';

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let iam: api.IAMClient;

before(async () => {
  platform = await openIamPlatform();
  iam = new api.IAMClient({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
});
after(async () => {
  iam?.destroy();
  await platform?.close();
});

const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }] }); // prettier-ignore
const document = (Action: string) => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] });
const local = (name: string, path = '/') => `arn:aws:iam::${account}:policy${path}${name}`;
/** All that is kept of IAM. */
const kept = () =>
  platform.store.read(
    async (tx) =>
    JSON.stringify([await tx.iamUsers.list({}), await tx.iamRoles.list({}), await tx.iamPolicies.list({}), await tx.iamAccessKeys.list({}), await tx.iamInstanceProfiles.list({})]), // prettier-ignore
  );

test('a role is read back as it was made, changed and deleted', async () => {
  const RoleName = 'task';
  const Tags = [{ Key: 'team', Value: 'a' }];
  const made = await iam.send(
    new api.CreateRoleCommand({ RoleName, Path: '/apps/', AssumeRolePolicyDocument: trust, Description: 'd', MaxSessionDuration: 7200, Tags, PermissionsBoundary: 'arn:aws:iam::aws:policy/PowerUserAccess' }), // prettier-ignore
  );
  assert.match(made.Role?.RoleId ?? '', /^AROA[A-Z2-7]{17}$/);
  assert.equal(made.Role?.Arn, `arn:aws:iam::${account}:role/apps/task`);
  await iam.send(new api.UpdateRoleCommand({ RoleName, Description: 'e', MaxSessionDuration: 3600 }));
  await iam.send(new api.TagRoleCommand({ RoleName, Tags: [{ Key: 'Team', Value: 'b' }, { Key: 'x', Value: '' }] })); // prettier-ignore
  await iam.send(new api.UntagRoleCommand({ RoleName, TagKeys: ['x'] }));
  const { Role: role } = await iam.send(new api.GetRoleCommand({ RoleName }));
  assert.equal(decodeURIComponent(role?.AssumeRolePolicyDocument ?? ''), trust);
  assert.deepEqual(role?.PermissionsBoundary, { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: 'arn:aws:iam::aws:policy/PowerUserAccess' }); // prettier-ignore
  assert.deepEqual(
    [role?.Path, role?.Description, role?.MaxSessionDuration, role?.Tags],
    ['/apps/', 'e', 3600, [{ Key: 'Team', Value: 'b' }]],
  );
  const { Roles } = await iam.send(new api.ListRolesCommand({ PathPrefix: '/apps/' }));
  assert.deepEqual(Roles?.map((one) => one.RoleName), [RoleName]); // prettier-ignore

  await iam.send(new api.PutRolePolicyCommand({ RoleName, PolicyName: 'in', PolicyDocument: document('s3:*') }));
  const inline = await iam.send(new api.GetRolePolicyCommand({ RoleName, PolicyName: 'in' }));
  assert.equal(decodeURIComponent(inline.PolicyDocument ?? ''), document('s3:*'));
  await iam.send(new api.AttachRolePolicyCommand({ RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy' })); // prettier-ignore
  const { AttachedPolicies } = await iam.send(new api.ListAttachedRolePoliciesCommand({ RoleName }));
  assert.deepEqual(AttachedPolicies, [{ PolicyName: 'AmazonECSTaskExecutionRolePolicy', PolicyArn: 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy' }]); // prettier-ignore

  await iam.send(new api.CreateInstanceProfileCommand({ InstanceProfileName: 'p' }));
  await iam.send(new api.AddRoleToInstanceProfileCommand({ InstanceProfileName: 'p', RoleName }));
  const conflict = (message: string) => ({ name: 'DeleteConflictException', message, $metadata: undefined });
  const refusal = async (message: string) => {
    const { name, message: said } = await iam.send(new api.DeleteRoleCommand({ RoleName })).then(() => assert.fail('deleted'), (error: Error) => error); // prettier-ignore
    assert.deepEqual({ name, message: said, $metadata: undefined }, conflict(message));
  };
  await refusal('Cannot delete entity, must remove roles from instance profile first.');
  await iam.send(new api.RemoveRoleFromInstanceProfileCommand({ InstanceProfileName: 'p', RoleName }));
  await iam.send(new api.DeleteInstanceProfileCommand({ InstanceProfileName: 'p' }));
  await refusal('Cannot delete entity, must detach all policies first.');
  await iam.send(new api.DetachRolePolicyCommand({ RoleName, PolicyArn: 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy' })); // prettier-ignore
  await refusal('Cannot delete entity, must delete policies first.');
  await iam.send(new api.DeleteRolePolicyCommand({ RoleName, PolicyName: 'in' }));
  await iam.send(new api.DeleteRoleCommand({ RoleName }));
});

test('users have two keys at most, whose secrets stand nowhere in the clear', async () => {
  const UserName = 'ann';
  await iam.send(new api.CreateUserCommand({ UserName, Tags: [{ Key: 'a', Value: 'b' }] }));
  const { AccessKey: key } = await iam.send(new api.CreateAccessKeyCommand({ UserName }));
  await iam.send(new api.CreateAccessKeyCommand({ UserName }));
  await assert.rejects(iam.send(new api.CreateAccessKeyCommand({ UserName })), { name: 'LimitExceededException', message: 'Cannot exceed quota for AccessKeysPerUser: 2' }); // prettier-ignore
  const secret = key?.SecretAccessKey ?? '';
  assert.match(secret, /^[A-Za-z0-9+/]{40}$/);
  for (const file of ['berth.db', 'berth.db-wal']) assert.ok(!readFileSync(join(platform.folder, file)).includes(secret), file);

  const own = new api.IAMClient({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: { accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: secret } }); // prettier-ignore
  const whoami = () => own.send(new api.GetUserCommand({})).then(({ User }) => User?.UserName, (error: Error) => error.message); // prettier-ignore
  assert.equal(await whoami(), `User: arn:aws:iam::${account}:user/ann is not authorized to perform: iam:GetUser on resource: arn:aws:iam::${account}:user/ann because no identity-based policy allows the iam:GetUser action`); // prettier-ignore
  await iam.send(new api.PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iam:GetUser', Resource: `arn:aws:iam::*:user/\${aws:username}` }] }) })); // prettier-ignore
  assert.equal(await whoami(), 'ann');
  await iam.send(new api.UpdateAccessKeyCommand({ UserName, AccessKeyId: key?.AccessKeyId, Status: 'Inactive' }));
  assert.equal(await whoami(), 'The security token included in the request is invalid.');
  await iam.send(new api.UpdateAccessKeyCommand({ UserName, AccessKeyId: key?.AccessKeyId, Status: 'Active' }));
  await iam.send(new api.UpdateUserCommand({ UserName, NewUserName: 'anna' }));
  assert.equal(await whoami(), 'anna');
  const { AccessKeyMetadata: keys } = await iam.send(new api.ListAccessKeysCommand({ UserName: 'anna' }));
  for (const { AccessKeyId } of keys ?? []) await iam.send(new api.DeleteAccessKeyCommand({ UserName: 'anna', AccessKeyId }));
  assert.equal(await whoami(), 'The security token included in the request is invalid.');
  await iam.send(new api.DeleteUserPolicyCommand({ UserName: 'anna', PolicyName: 'p' }));
  await iam.send(new api.DeleteUserCommand({ UserName: 'anna' }));
  own.destroy();
});

test('whom a trust policy names is meant itself: another of the same name is not, and who is renamed still is', async () => {
  const names = async (RoleName: string) => {
    const { Role: role } = await iam.send(new api.GetRoleCommand({ RoleName }));
    return JSON.parse(decodeURIComponent(role?.AssumeRolePolicyDocument ?? '')).Statement[0] as { Principal: { AWS: string | string[] }; Condition: object }; // prettier-ignore
  };
  const userArn = (name: string) => `arn:aws:iam::${account}:user/${name}`;
  const trusting = (AWS: string | string[]) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole', Condition: { ArnLike: { 'aws:PrincipalArn': userArn('gone') } } }] }); // prettier-ignore
  const target = (AWS: string | string[]) =>
    iam.send(new api.CreateRoleCommand({ RoleName: 'trusts', AssumeRolePolicyDocument: trusting(AWS) }));
  await assert.rejects(target(userArn('gone')), {
    name: 'MalformedPolicyDocumentException',
    message: `Invalid principal in policy: "AWS":"${userArn('gone')}"`,
  });
  const gone = await iam.send(new api.CreateUserCommand({ UserName: 'gone' }));
  await iam.send(new api.CreateUserCommand({ UserName: 'moves' }));
  await target([userArn('gone'), userArn('moves'), '111111111111', 'arn:aws:iam::111111111111:user/far']);
  await iam.send(new api.UpdateUserCommand({ UserName: 'moves', NewUserName: 'moved', NewPath: '/there/' }));
  await iam.send(new api.DeleteUserCommand({ UserName: 'gone' }));
  await iam.send(new api.CreateUserCommand({ UserName: 'gone' }));
  const { Principal, Condition } = await names('trusts');
  assert.deepEqual(Principal.AWS, [gone.User?.UserId, userArn('there/moved'), '111111111111', 'arn:aws:iam::111111111111:user/far']);
  assert.deepEqual(Condition, { ArnLike: { 'aws:PrincipalArn': userArn('gone') } });

  const first = await iam.send(new api.CreateRoleCommand({ RoleName: 'first', AssumeRolePolicyDocument: trust }));
  await iam.send(new api.UpdateAssumeRolePolicyCommand({ RoleName: 'trusts', PolicyDocument: trusting(first.Role?.Arn ?? '') }));
  assert.equal((await names('trusts')).Principal.AWS, first.Role?.Arn);
  await iam.send(new api.DeleteRoleCommand({ RoleName: 'first' }));
  await iam.send(new api.CreateRoleCommand({ RoleName: 'first', AssumeRolePolicyDocument: trust }));
  assert.equal((await names('trusts')).Principal.AWS, first.Role?.RoleId);
  for (const RoleName of ['trusts', 'first']) await iam.send(new api.DeleteRoleCommand({ RoleName }));
  for (const UserName of ['gone', 'moved']) await iam.send(new api.DeleteUserCommand({ UserName }));
});

test('who is taken away is asked first for all that a user may have, of which berth has none', async () => {
  const UserName = 'leaves';
  await iam.send(new api.CreateUserCommand({ UserName }));
  const lists: [member: string, list: (UserName: string) => Promise<object>][] = [
    ['Groups', (name) => iam.send(new api.ListGroupsForUserCommand({ UserName: name }))],
    ['MFADevices', (name) => iam.send(new api.ListMFADevicesCommand({ UserName: name }))],
    ['SSHPublicKeys', (name) => iam.send(new api.ListSSHPublicKeysCommand({ UserName: name }))],
    ['Certificates', (name) => iam.send(new api.ListSigningCertificatesCommand({ UserName: name }))],
    ['ServiceSpecificCredentials', (name) => iam.send(new api.ListServiceSpecificCredentialsCommand({ UserName: name }))],
  ];
  for (const [member, list] of lists) {
    assert.deepEqual((await list(UserName))[member as never], [], member);
    await assert.rejects(list('nobody'), { name: 'NoSuchEntityException', message: 'The user with name nobody cannot be found.' }, member);
  }
  assert.deepEqual((await iam.send(new api.ListVirtualMFADevicesCommand({}))).VirtualMFADevices, []);
  const noPassword = { name: 'NoSuchEntityException', message: 'Login Profile for User leaves cannot be found.' };
  await assert.rejects(iam.send(new api.DeleteLoginProfileCommand({ UserName })), noPassword);
  await assert.rejects(iam.send(new api.GetLoginProfileCommand({ UserName })), noPassword);
  await iam.send(new api.DeleteUserCommand({ UserName }));
});

test('all of the account’s IAM is told in one list, by kinds and in pages', async () => {
  const [UserName, RoleName] = ['auditor', 'audited'];
  await iam.send(new api.CreateUserCommand({ UserName, Tags: [{ Key: 'a', Value: 'b' }] }));
  await iam.send(new api.PutUserPolicyCommand({ UserName, PolicyName: 'in', PolicyDocument: document('s3:*') }));
  await iam.send(new api.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: trust, PermissionsBoundary: 'arn:aws:iam::aws:policy/PowerUserAccess' })); // prettier-ignore
  await iam.send(new api.CreateInstanceProfileCommand({ InstanceProfileName: 'audited' }));
  await iam.send(new api.AddRoleToInstanceProfileCommand({ InstanceProfileName: 'audited', RoleName }));
  await iam.send(new api.CreatePolicyCommand({ PolicyName: 'audit', PolicyDocument: document('ecs:*') }));
  await iam.send(new api.CreatePolicyVersionCommand({ PolicyArn: local('audit'), PolicyDocument: document('ec2:*') }));
  await iam.send(new api.AttachRolePolicyCommand({ RoleName, PolicyArn: local('audit') }));

  const whole = await iam.send(new api.GetAccountAuthorizationDetailsCommand({}));
  const [user] = whole.UserDetailList ?? [];
  assert.deepEqual(
    [user?.UserName, user?.Tags, user?.GroupList, user?.AttachedManagedPolicies],
    [UserName, [{ Key: 'a', Value: 'b' }], [], []],
  );
  assert.deepEqual(user?.UserPolicyList?.map(({ PolicyName, PolicyDocument = '' }) => [PolicyName, decodeURIComponent(PolicyDocument)]), [['in', document('s3:*')]]); // prettier-ignore
  const [role] = whole.RoleDetailList ?? [];
  assert.deepEqual(role?.AttachedManagedPolicies, [{ PolicyName: 'audit', PolicyArn: local('audit') }]);
  assert.equal(role?.PermissionsBoundary?.PermissionsBoundaryArn, 'arn:aws:iam::aws:policy/PowerUserAccess');
  assert.deepEqual([role?.InstanceProfileList?.[0]?.InstanceProfileName, decodeURIComponent(role?.AssumeRolePolicyDocument ?? '')], ['audited', trust]); // prettier-ignore
  assert.deepEqual(whole.Policies?.map(({ PolicyName, AttachmentCount, PermissionsBoundaryUsageCount: bounds }) => [PolicyName, AttachmentCount, bounds]), [['audit', 1, 0], ['PowerUserAccess', 0, 1]]); // prettier-ignore
  assert.deepEqual(
    whole.Policies?.[0]?.PolicyVersionList?.map(({ VersionId, IsDefaultVersion: current, Document = '' }) => [VersionId, current, decodeURIComponent(Document)]), // prettier-ignore
    [['v2', false, document('ec2:*')], ['v1', true, document('ecs:*')]], // prettier-ignore
  );
  const only = await iam.send(new api.GetAccountAuthorizationDetailsCommand({ Filter: ['Role', 'LocalManagedPolicy'] }));
  assert.deepEqual([only.UserDetailList?.length, only.RoleDetailList?.length, only.Policies?.length], [0, 1, 1]);
  let pages = 0;
  let seen = 0;
  for await (const page of api.paginateGetAccountAuthorizationDetails({ client: iam, pageSize: 1 }, {})) {
    pages += 1;
    seen += (page.UserDetailList ?? []).length + (page.RoleDetailList ?? []).length + (page.Policies ?? []).length;
  }
  assert.deepEqual([pages, seen], [4, 4]);
  const { SummaryMap: counts } = await iam.send(new api.GetAccountSummaryCommand({}));
  assert.deepEqual([counts?.Users, counts?.Roles, counts?.Policies, counts?.PolicyVersionsInUse], [1, 1, 1, 2]);
  assert.deepEqual((await iam.send(new api.ListAccountAliasesCommand({}))).AccountAliases, []);

  await iam.send(new api.RemoveRoleFromInstanceProfileCommand({ InstanceProfileName: 'audited', RoleName }));
  await iam.send(new api.DeleteInstanceProfileCommand({ InstanceProfileName: 'audited' }));
  await iam.send(new api.DetachRolePolicyCommand({ RoleName, PolicyArn: local('audit') }));
  await iam.send(new api.DeleteRoleCommand({ RoleName }));
  await iam.send(new api.DeletePolicyVersionCommand({ PolicyArn: local('audit'), VersionId: 'v2' }));
  await iam.send(new api.DeletePolicyCommand({ PolicyArn: local('audit') }));
  await iam.send(new api.DeleteUserPolicyCommand({ UserName, PolicyName: 'in' }));
  await iam.send(new api.DeleteUserCommand({ UserName }));
});

test('a list may be emptied page by page, and nobody is passed over', async () => {
  const names = Array.from({ length: 5 }, (_, n) => `walk${n}`);
  for (const UserName of names) await iam.send(new api.CreateUserCommand({ UserName, Path: '/walk/' }));
  const seen: (string | undefined)[] = [];
  let Marker: string | undefined;
  do {
    const page: api.ListUsersResponse = await iam.send(new api.ListUsersCommand({ PathPrefix: '/walk/', MaxItems: 2, Marker }));
    for (const { UserName } of page.Users ?? []) {
      seen.push(UserName);
      await iam.send(new api.DeleteUserCommand({ UserName }));
    }
    ({ Marker } = page);
  } while (Marker !== undefined);
  assert.deepEqual(seen, names);
});

test('policies have versions, of which one holds', async () => {
  const made = await iam.send(
    new api.CreatePolicyCommand({ PolicyName: 'p', Path: '/x/', PolicyDocument: document('ecs:*'), Description: 'd' }),
  );
  const PolicyArn = made.Policy?.Arn ?? '';
  assert.equal(PolicyArn, local('p', '/x/'));
  await iam.send(new api.CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: document('logs:*'), SetAsDefault: true }));
  const { Policy: policy } = await iam.send(new api.GetPolicyCommand({ PolicyArn }));
  assert.deepEqual([policy?.DefaultVersionId, policy?.AttachmentCount, policy?.Description], ['v2', 0, 'd']);
  const { PolicyVersion: version } = await iam.send(new api.GetPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
  assert.equal(decodeURIComponent(version?.Document ?? ''), document('logs:*'));
  const refusals: [Promise<unknown>, string, string][] = [
    [iam.send(new api.DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v2' })), 'DeleteConflictException', 'Cannot delete the default version of a policy.'], // prettier-ignore
    [iam.send(new api.DeletePolicyCommand({ PolicyArn })), 'DeleteConflictException', "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."], // prettier-ignore
    [iam.send(new api.GetPolicyVersionCommand({ PolicyArn, VersionId: 'v9' })), 'NoSuchEntityException', `Policy ${PolicyArn} version v9 does not exist or is not attachable.`], // prettier-ignore
    [iam.send(new api.CreatePolicyCommand({ PolicyName: 'P', PolicyDocument: document('ecs:*') })), 'EntityAlreadyExistsException', 'A policy called P already exists. Duplicate names are not allowed.'], // prettier-ignore
  ];
  for (const [call, name, message] of refusals) await assert.rejects(call, { name, message });
  const { EvaluationResults: results } = await iam.send(new api.SimulateCustomPolicyCommand({ PolicyInputList: [document('ecs:*')], ActionNames: ['ecs:RunTask', 'logs:GetLogEvents'] })); // prettier-ignore
  assert.deepEqual(results?.map(({ EvalDecision }) => EvalDecision), ['allowed', 'implicitDeny']); // prettier-ignore
  await iam.send(new api.DeletePolicyVersionCommand({ PolicyArn, VersionId: 'v1' }));
  await iam.send(new api.DeletePolicyCommand({ PolicyArn }));
});

test('what is refused changes nothing', async () => {
  await iam.send(new api.CreateRoleCommand({ RoleName: 'r', AssumeRolePolicyDocument: trust }));
  await iam.send(new api.CreateUserCommand({ UserName: 'u' }));
  const before = await kept();
  const nobody = { RoleName: 'nobody' };
  const none = 'The role with name nobody cannot be found.';
  const cases: [{ name: string; message: string | RegExp }, any][] = [
    [{ name: 'EntityAlreadyExistsException', message: 'Role with name R already exists.' }, new api.CreateRoleCommand({ RoleName: 'R', AssumeRolePolicyDocument: trust })],
    [{ name: 'EntityAlreadyExistsException', message: 'User with name u already exists.' }, new api.CreateUserCommand({ UserName: 'u' })],
    [{ name: 'MalformedPolicyDocumentException', message: 'This policy contains invalid Json' }, new api.CreateRoleCommand({ RoleName: 'x', AssumeRolePolicyDocument: '{' })],
    [{ name: 'MalformedPolicyDocumentException', message: 'Syntax errors in policy.' }, new api.PutRolePolicyCommand({ RoleName: 'r', PolicyName: 'p', PolicyDocument: '[]' })],
    [{ name: 'ValidationError', message: /^The specified value for roleName is invalid/ }, new api.CreateRoleCommand({ RoleName: 'a b', AssumeRolePolicyDocument: trust })],
    [{ name: 'ValidationError', message: /'maxSessionDuration' failed to satisfy constraint/ }, new api.UpdateRoleCommand({ RoleName: 'r', MaxSessionDuration: 1 })],
    [{ name: 'ValidationError', message: /^The specified value for path is invalid/ }, new api.CreateUserCommand({ UserName: 'v', Path: 'x' })],
    [{ name: 'InvalidInputException', message: /^Duplicate tag keys/ }, new api.TagRoleCommand({ RoleName: 'r', Tags: [{ Key: 'a', Value: '1' }, { Key: 'A', Value: '2' }] })],
    [{ name: 'LimitExceededException', message: 'Maximum policy size of 10240 bytes exceeded for role r' }, new api.PutRolePolicyCommand({ RoleName: 'r', PolicyName: 'p', PolicyDocument: document('a'.repeat(10_300)) })],
    [{ name: 'NoSuchEntityException', message: none }, new api.GetRoleCommand(nobody)],
    [{ name: 'NoSuchEntityException', message: none }, new api.DeleteRoleCommand(nobody)],
    [{ name: 'NoSuchEntityException', message: none }, new api.PutRolePolicyCommand({ ...nobody, PolicyName: 'p', PolicyDocument: document('s3:*') })],
    [{ name: 'NoSuchEntityException', message: 'The role policy with name p cannot be found.' }, new api.GetRolePolicyCommand({ RoleName: 'r', PolicyName: 'p' })],
    [{ name: 'NoSuchEntityException', message: 'The user with name w cannot be found.' }, new api.CreateAccessKeyCommand({ UserName: 'w' })],
    [{ name: 'NoSuchEntityException', message: 'The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found.' }, new api.DeleteAccessKeyCommand({ UserName: 'u', AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' })],
    [{ name: 'NoSuchEntityException', message: `Policy ${local('none')} does not exist or is not attachable.` }, new api.AttachRolePolicyCommand({ RoleName: 'r', PolicyArn: local('none') })],
    [{ name: 'NoSuchEntityException', message: 'Policy arn:aws:iam::aws:policy/NoSuchThing does not exist or is not attachable.' }, new api.AttachRolePolicyCommand({ RoleName: 'r', PolicyArn: 'arn:aws:iam::aws:policy/NoSuchThing' })],
    [{ name: 'NoSuchEntityException', message: `Policy ${local('none')} was not found.` }, new api.DetachRolePolicyCommand({ RoleName: 'r', PolicyArn: local('none') })],
    [{ name: 'InvalidInputException', message: 'ARN nonsense-arn-of-nothing is not valid.' }, new api.AttachRolePolicyCommand({ RoleName: 'r', PolicyArn: 'nonsense-arn-of-nothing' })],
    [{ name: 'NoSuchEntityException', message: 'Instance Profile none cannot be found.' }, new api.GetInstanceProfileCommand({ InstanceProfileName: 'none' })],
    [{ name: 'UnsupportedOperation', message: 'berth does not implement iam:CreateGroup yet.' }, new api.CreateGroupCommand({ GroupName: 'g' })],
  ]; // prettier-ignore
  for (const [expected, command] of cases) await assert.rejects(iam.send(command), expected, JSON.stringify(command.input));
  assert.equal(await kept(), before);
});
