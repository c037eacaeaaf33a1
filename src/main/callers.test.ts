/** Who calls, through the real front door: sessions of roles, of tasks and of other accounts, credentials that have ended or are not the caller's. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateClusterCommand, DescribeClustersCommand, ListClustersCommand } from '@aws-sdk/client-ecs';
import { CreateAccessKeyCommand, AttachRolePolicyCommand, DeleteAccessKeyCommand, DeleteRoleCommand, DeleteRolePolicyCommand, PutRolePolicyCommand, PutUserPolicyCommand, UpdateAccessKeyCommand } from '@aws-sdk/client-iam'; // prettier-ignore
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, type AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import { createRole } from '#intent/index.ts';
import { account } from '../../test/iam/platform.ts';
import { ecsArn, openWorld, other, region, roleArn, trusting, type Clients, type Credentials, type World } from '../../test/iam/world.ts';
import { assertExecutionRole, taskCredentials } from './task-credentials.ts';

let world: World;
let bob: { clients: Clients; credentials: Credentials };

const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const allow = (Action: string | string[], Resource: string | string[] = '*', Condition?: object) => ({ Effect: 'Allow', Action, Resource, ...(Condition && { Condition }) }); // prettier-ignore
const everybody = trusting({ AWS: account });
const bobArn = `arn:aws:iam::${account}:user/ops/bob`;

before(async () => {
  world = await openWorld();
  const credentials = await world.newUser('bob');
  bob = { credentials, clients: world.as(credentials) };
  await bobMay(allow('sts:*'));
});

after(() => world?.close());

const bobMay = (...statements: object[]) =>
  world.root.iam.send(new PutUserPolicyCommand({ UserName: 'bob', PolicyName: 'p', PolicyDocument: document(...statements) }));

async function roleThatMay(name: string, trust: string, ...statements: object[]): Promise<void> {
  await world.newRole(name, trust);
  await world.root.iam.send(new PutRolePolicyCommand({ RoleName: name, PolicyName: 'p', PolicyDocument: document(...statements) }));
}

async function assume(by: Clients, role: string, more: Partial<AssumeRoleCommandInput> = {}): Promise<Credentials> {
  const RoleArn = role.startsWith('arn:') ? role : roleArn(role);
  const { Credentials: given } = await by.sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'me', ...more }));
  return { accessKeyId: given?.AccessKeyId ?? '', secretAccessKey: given?.SecretAccessKey ?? '', sessionToken: given?.SessionToken ?? '' };
}

const list = ({ ecs }: Clients) => ecs.send(new ListClustersCommand({}));
const who = async ({ sts }: Clients) => (await sts.send(new GetCallerIdentityCommand({}))).Arn;
const sessionArn = (role: string, session: string, of = account) => `arn:aws:sts::${of}:assumed-role/${role}/${session}`;
const refused = (arn: string, why = 'because no identity-based policy allows the ecs:ListClusters action') => ({
  name: 'AccessDeniedException',
  message: `User: ${arn} is not authorized to perform: ecs:ListClusters on resource: * ${why}`,
});
const notAssumed = (arn: string, role: string, action = 'sts:AssumeRole') => ({
  name: 'AccessDenied',
  message: `User: ${arn} is not authorized to perform: ${action} on resource: ${role}`,
});

describe('sessions', () => {
  it('may what their role may, and are called by it', async () => {
    await roleThatMay('lister', everybody, allow('ecs:ListClusters'));
    const session = world.as(await assume(bob.clients, 'lister'));
    await list(session);
    assert.equal(await who(session), sessionArn('lister', 'me'));
    const denied = { message: `User: ${sessionArn('lister', 'me')} is not authorized to perform: ecs:CreateCluster on resource: ${ecsArn('cluster/new')} because no identity-based policy allows the ecs:CreateCluster action` }; // prettier-ignore
    await assert.rejects(session.ecs.send(new CreateClusterCommand({ clusterName: 'new' })), denied);
  });

  it('may of that what their own policy leaves', async () => {
    const none = world.as(await assume(bob.clients, 'lister', { Policy: document(allow('ec2:*')) }));
    await assert.rejects(list(none), refused(sessionArn('lister', 'me'), 'because no session policy allows the ecs:ListClusters action'));
    const never = world.as(await assume(bob.clients, 'lister', { Policy: document(allow('*'), { ...allow('ecs:*'), Effect: 'Deny' }) }));
    await assert.rejects(list(never), refused(sessionArn('lister', 'me'), 'with an explicit deny in a session policy'));
    const more = world.as(await assume(bob.clients, 'lister', { Policy: document(allow('*')) }));
    await list(more);
    await assert.rejects(more.ecs.send(new CreateClusterCommand({ clusterName: 'new' })), /no identity-based policy allows/);
  });

  it('have the tags that they were given before those of their role, and a source identity', async () => {
    await roleThatMay('tagged', everybody, allow('ecs:ListClusters', '*', { StringEquals: { 'aws:PrincipalTag/team': 'b', 'aws:SourceIdentity': 'bob' } })); // prettier-ignore
    await list(world.as(await assume(bob.clients, 'tagged', { Tags: [{ Key: 'team', Value: 'b' }], SourceIdentity: 'bob' })));
    await assert.rejects(
      list(world.as(await assume(bob.clients, 'tagged', { SourceIdentity: 'bob' }))),
      refused(sessionArn('tagged', 'me')),
    );
    await assert.rejects(list(world.as(await assume(bob.clients, 'tagged', { Tags: [{ Key: 'team', Value: 'b' }] }))), refused(sessionArn('tagged', 'me'))); // prettier-ignore
  });

  it('that assume another role keep their source identity, and live an hour at most', async () => {
    await roleThatMay('first', everybody, allow('sts:*'));
    await roleThatMay('second', trusting({ AWS: roleArn('first') }), allow('ecs:ListClusters', '*', { StringEquals: { 'aws:SourceIdentity': 'bob' } })); // prettier-ignore
    const first = world.as(await assume(bob.clients, 'first', { SourceIdentity: 'bob' }));
    await list(world.as(await assume(first, 'second')));
    await assert.rejects(assume(first, 'second', { SourceIdentity: 'mallory' }), { name: 'AccessDenied' });
    await roleThatMay('third', trusting({ AWS: roleArn('first') }, undefined, ['sts:AssumeRole']), allow('*'));
    await assert.rejects(assume(first, 'third'), notAssumed(sessionArn('first', 'me'), roleArn('third'), 'sts:SetSourceIdentity'));
    await assert.rejects(assume(first, 'second', { DurationSeconds: 3601 }), {
      name: 'ValidationError',
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    });
    await assert.rejects(assume(bob.clients, 'second'), notAssumed(bobArn, roleArn('second')));
  });

  it('are refused whose members are not what STS takes', async () => {
    const refusedWith = async (more: Partial<AssumeRoleCommandInput>, name: string, message: RegExp) =>
      assert.rejects(assume(bob.clients, 'lister', more), { name, message });
    await refusedWith({ DurationSeconds: 899 }, 'ValidationError', /'durationSeconds' failed/);
    await refusedWith({ DurationSeconds: 43_201 }, 'ValidationError', /'durationSeconds' failed/);
    await refusedWith({ DurationSeconds: 3601 }, 'ValidationError', /MaxSessionDuration set for this role/);
    await refusedWith({ RoleSessionName: 'a b' }, 'ValidationError', /'roleSessionName' failed/);
    await refusedWith({ SourceIdentity: 'x' }, 'ValidationError', /'sourceIdentity' failed/);
    await refusedWith({ ExternalId: 'a b' }, 'ValidationError', /'externalId' failed/);
    await refusedWith({ Tags: [{ Key: 'a', Value: '1' }, { Key: 'A', Value: '2' }] }, 'InvalidParameterValue', /Duplicate tag keys/); // prettier-ignore
    await refusedWith({ Tags: [{ Key: 'aws:a', Value: '1' }] }, 'ValidationError', /reserved/);
    await refusedWith({ Policy: '{' }, 'MalformedPolicyDocumentException', /./);
    await refusedWith({ TransitiveTagKeys: ['a'] }, 'UnsupportedOperation', /TransitiveTagKeys/);
    await refusedWith({ SerialNumber: 'arn:aws:iam::1:mfa/x', TokenCode: '123456' }, 'AccessDenied', /MultiFactorAuthentication failed/);
  });

  it('of root have the policies that they were given', async () => {
    await world.newRole('for-root', everybody);
    await assert.rejects(list(world.as(await assume(world.root, 'for-root'))), refused(sessionArn('for-root', 'me')));
    const { Credentials: given } = await world.root.sts.send(new GetSessionTokenCommand({}));
    const root = world.as({ accessKeyId: given?.AccessKeyId ?? '', secretAccessKey: given?.SecretAccessKey ?? '', sessionToken: given?.SessionToken ?? '' }); // prettier-ignore
    await list(root);
  });

  it('end with their role', async () => {
    await roleThatMay('brief', everybody, allow('*'));
    const session = world.as(await assume(bob.clients, 'brief'));
    await list(session);
    await roleThatMayNot('brief');
    await assert.rejects(list(session), refused(sessionArn('brief', 'me')));
  });

  it('of who was made again are not whom a trust meant', async () => {
    await roleThatMay('former', everybody, allow('sts:*'));
    await roleThatMay('guarded', trusting({ AWS: roleArn('former') }), allow('*'));
    await assume(world.as(await assume(bob.clients, 'former')), 'guarded');
    await roleThatMayNot('former');
    await roleThatMay('former', everybody, allow('sts:*'));
    const other = world.as(await assume(bob.clients, 'former'));
    await assert.rejects(assume(other, 'guarded'), notAssumed(sessionArn('former', 'me'), roleArn('guarded')));
  });

  it('need an external id, a name or an address where the trust policy says so', async () => {
    await roleThatMay('partner', trusting({ AWS: account }, { StringEquals: { 'sts:ExternalId': 'key' } }), allow('*'));
    await assume(bob.clients, 'partner', { ExternalId: 'key' });
    await assert.rejects(assume(bob.clients, 'partner'), notAssumed(bobArn, roleArn('partner')));
    await assert.rejects(assume(bob.clients, 'partner', { ExternalId: 'lock' }), notAssumed(bobArn, roleArn('partner')));
    await roleThatMay('named', trusting({ AWS: account }, { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }), allow('*'));
    await assume(bob.clients, 'named', { RoleSessionName: 'bob' });
    await assert.rejects(assume(bob.clients, 'named'), notAssumed(bobArn, roleArn('named')));
    await roleThatMay('untagged', trusting({ AWS: account }, undefined, ['sts:AssumeRole']), allow('*'));
    await assert.rejects(assume(bob.clients, 'untagged', { Tags: [{ Key: 'a', Value: 'b' }] }), notAssumed(bobArn, roleArn('untagged'), 'sts:TagSession')); // prettier-ignore
    await assert.rejects(assume(bob.clients, 'untagged', { SourceIdentity: 'bob' }), notAssumed(bobArn, roleArn('untagged'), 'sts:SetSourceIdentity')); // prettier-ignore
  });
});

async function roleThatMayNot(name: string): Promise<void> {
  const { iam } = world.root;
  await iam.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName: 'p' }));
  await iam.send(new DeleteRoleCommand({ RoleName: name }));
}

describe('accounts', () => {
  const foreign = (name: string, trust: string) => createRole(world.platform, { account: other }, { name, path: '/', boundary: undefined, tags: [], trust, description: '', maxSessionSeconds: 3600 }); // prettier-ignore

  it("a role of another account needs both: its own trust and the caller's policy", async () => {
    await foreign('open', trusting({ AWS: account }));
    await foreign('closed', trusting({ AWS: other }));
    const session = world.as(await assume(bob.clients, roleArn('open', other)));
    assert.equal(await who(session), sessionArn('open', 'me', other));
    await assert.rejects(assume(bob.clients, roleArn('closed', other)), notAssumed(bobArn, roleArn('closed', other)));
    await bobMay(allow('sts:AssumeRole', roleArn('*')));
    await assert.rejects(assume(bob.clients, roleArn('open', other)), notAssumed(bobArn, roleArn('open', other)));
    await foreign('exact', trusting({ AWS: bobArn }));
    await assert.rejects(assume(bob.clients, roleArn('exact', other)), notAssumed(bobArn, roleArn('exact', other)));
    await bobMay(allow('sts:AssumeRole', roleArn('*', other)));
    await assume(bob.clients, roleArn('exact', other));
  });

  it('of the same account, a trust policy that names the caller is enough', async () => {
    await world.newRole('named-caller', trusting({ AWS: bobArn }));
    await world.newRole('account-only', everybody);
    await bobMay(allow('ecs:*'));
    await assume(bob.clients, 'named-caller');
    await assert.rejects(assume(bob.clients, 'account-only'), notAssumed(bobArn, roleArn('account-only')));
    await bobMay({ ...allow('sts:*'), Effect: 'Deny' });
    await assert.rejects(assume(bob.clients, 'named-caller'), notAssumed(bobArn, roleArn('named-caller')));
    await bobMay(allow('sts:*'));
  });

  it("a session of another account never sees what is this one's", async () => {
    const session = world.as(await assume(bob.clients, roleArn('open', other)));
    const prod = ecsArn('cluster/prod');
    const arn = sessionArn('open', 'me', other);
    await assert.rejects(session.ecs.send(new DescribeClustersCommand({ clusters: [prod] })), {
      message: `User: ${arn} is not authorized to perform: ecs:DescribeClusters on resource: ${prod} because no identity-based policy allows the ecs:DescribeClusters action`,
    });
  });
});

describe('credentials', () => {
  const invalid = { name: 'UnrecognizedClientException', message: 'The security token included in the request is invalid.' };

  it('that have ended, and such as are not their own', async () => {
    const session = await assume(bob.clients, 'lister', { DurationSeconds: 900 });
    await list(world.as(session));
    const { sessionToken: another } = await assume(bob.clients, 'lister');
    await assert.rejects(list(world.as({ ...session, sessionToken: another! })), invalid);
    await assert.rejects(list(world.as({ ...session, sessionToken: `${session.sessionToken}A` })), invalid);
    await assert.rejects(list(world.as({ accessKeyId: session.accessKeyId, secretAccessKey: session.secretAccessKey })), invalid);
    await assert.rejects(list(world.as({ ...session, secretAccessKey: 'x' })), { name: 'InvalidSignatureException' });
    await assert.rejects(list(world.as({ ...bob.credentials, secretAccessKey: session.secretAccessKey })), { name: 'InvalidSignatureException' }); // prettier-ignore
    world.skew(901_000);
    await assert.rejects(list(world.as(session)), { name: 'ExpiredTokenException', message: 'The security token included in the request is expired' }); // prettier-ignore
    world.skew(0);
  });

  it('that are not there, not active or deleted', async () => {
    const { iam } = world.root;
    await assert.rejects(list(world.as({ accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x' })), invalid);
    const { AccessKey: key } = await iam.send(new CreateAccessKeyCommand({ UserName: 'bob' }));
    const AccessKeyId = key?.AccessKeyId ?? '';
    const second = () => who(world.as({ accessKeyId: AccessKeyId, secretAccessKey: key?.SecretAccessKey ?? '' }));
    const told = { name: 'InvalidClientTokenId', message: 'The security token included in the request is invalid.' };
    assert.equal(await second(), bobArn);
    await iam.send(new UpdateAccessKeyCommand({ UserName: 'bob', AccessKeyId, Status: 'Inactive' }));
    await assert.rejects(second(), told);
    await iam.send(new UpdateAccessKeyCommand({ UserName: 'bob', AccessKeyId, Status: 'Active' }));
    assert.equal(await second(), bobArn);
    await iam.send(new DeleteAccessKeyCommand({ UserName: 'bob', AccessKeyId }));
    await assert.rejects(second(), told);
  });
});

describe('tasks', () => {
  const task = { account, region, cluster: 'prod', id: 'a'.repeat(32) };
  const deps = () => ({ store: world.platform.store, clock: world.platform.clock, identity: world.platform.identity });
  const tasks = trusting({ Service: 'ecs-tasks.amazonaws.com' }, { ArnLike: { 'aws:SourceArn': ecsArn('*') }, StringEquals: { 'aws:SourceAccount': account } }); // prettier-ignore

  it('have the credentials of their role, called by the task', async () => {
    await roleThatMay('app', tasks, allow('ecs:ListClusters', '*', { StringEquals: { 'aws:PrincipalTag/team': 'a' } }));
    const { token, ...given } = await taskCredentials(deps(), task, 'app');
    const app = world.as({ ...given, sessionToken: token });
    await list(app);
    assert.equal(await who(app), sessionArn('app', task.id));
    await assert.rejects(app.ecs.send(new CreateClusterCommand({ clusterName: 'x' })), {
      name: 'AccessDeniedException',
      message: `User: ${sessionArn('app', task.id)} is not authorized to perform: ecs:CreateCluster on resource: ${ecsArn('cluster/x')} because no identity-based policy allows the ecs:CreateCluster action`,
    });
    world.skew(6 * 3_600_000 + 1000);
    await assert.rejects(list(world.as({ ...given, sessionToken: token })), { name: 'ExpiredTokenException' });
    world.skew(0);
  });

  it('have none of a role that does not trust ECS', async () => {
    await world.newRole('not-for-tasks', everybody);
    await assert.rejects(taskCredentials(deps(), task, 'not-for-tasks'), /ECS was unable to assume the role/);
    await assert.rejects(taskCredentials(deps(), task, 'nobody'), /ECS was unable to assume the role/);
    const strange = trusting({ Service: 'ecs-tasks.amazonaws.com' }, { StringEquals: { 'aws:SourceAccount': other } });
    await world.newRole('of-others', strange);
    await assert.rejects(taskCredentials(deps(), task, 'of-others'), /ECS was unable to assume the role/);
  });

  it('are helped by what their execution role may', async () => {
    const log = `arn:aws:logs:${region}:${account}:log-group:/app`;
    const create = (role: string, action: string, resource: Parameters<typeof assertExecutionRole>[4]) =>
      assertExecutionRole(deps(), task, role, action, resource);
    await roleThatMay('execution', tasks, allow(['logs:CreateLogGroup', 'logs:CreateLogStream'], `${log}:*`));
    await create('execution', 'logs:CreateLogStream', `${log}:log-stream:s`);
    await create('execution', 'logs:CreateLogGroup', { arn: `${log}:log-stream:`, alias: log });
    await assert.rejects(create('execution', 'logs:CreateLogStream', `${log}s:log-stream:s`), {
      code: 'AccessDenied',
      message: `User: ${sessionArn('execution', task.id)} is not authorized to perform: logs:CreateLogStream on resource: ${log}s:log-stream:s because no identity-based policy allows the logs:CreateLogStream action`,
    });
    await world.newRole('aws-managed', tasks);
    await world.root.iam.send(new AttachRolePolicyCommand({ RoleName: 'aws-managed', PolicyArn: 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy' })); // prettier-ignore
    await create('aws-managed', 'logs:CreateLogStream', `${log}:log-stream:s`);
    await create('aws-managed', 'ecr:BatchGetImage', `arn:aws:ecr:${region}:${account}:repository/r`);
    await assert.rejects(create('aws-managed', 'logs:CreateLogGroup', { arn: `${log}:log-stream:`, alias: log }), /no identity-based policy allows the logs:CreateLogGroup/); // prettier-ignore
    await assert.rejects(create('aws-managed', 'secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${region}:${account}:secret:s-abcdef`), { code: 'AccessDenied' }); // prettier-ignore
  });
});
