import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import {
  AssumeRoleCommand,
  DecodeAuthorizationMessageCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { CreateRoleCommand, DeleteRoleCommand, IAMClient, ListUsersCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { realClock } from '#base/clock.ts';
import { account, openIamPlatform } from '../../../test/iam/platform.ts';

type Platform = Awaited<ReturnType<typeof openIamPlatform>>;
type Given = { AccessKeyId: string | undefined; SecretAccessKey: string | undefined; SessionToken: string | undefined };
type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

let skewMs = 0;
const real = realClock();
const clock = { ...real, now: () => real.now() + skewMs };
let platform: Platform;
let root: STSClient;
let iam: IAMClient;
const clients: (STSClient | IAMClient)[] = [];

const options = (credentials: Credentials, endpoint = platform.endpoint) => ({
  endpoint,
  region: 'us-west-2',
  maxAttempts: 1,
  credentials,
  // What a client corrects by itself would hide what is tried here.
  systemClockOffset: skewMs,
});
const stsAs = (credentials: Credentials, endpoint?: string) => {
  const client = new STSClient(options(credentials, endpoint));
  clients.push(client);
  return client;
};
const trustAccount = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: ['sts:AssumeRole', 'sts:TagSession'] }],
});
const arnOf = (role: string) => `arn:aws:iam::${account}:role/${role}`;
const taken = (given: Given | undefined) => ({
  accessKeyId: given?.AccessKeyId ?? '',
  secretAccessKey: given?.SecretAccessKey ?? '',
  sessionToken: given?.SessionToken ?? '',
});

before(async () => {
  platform = await openIamPlatform({ clock });
  root = stsAs(platform.root);
  iam = new IAMClient(options(platform.root));
  clients.push(iam);
});

after(async () => {
  for (const client of clients) client.destroy();
  await platform?.close();
});

it('says who calls', async () => {
  const { $metadata, ...identity } = await root.send(new GetCallerIdentityCommand({}));
  assert.equal($metadata.httpStatusCode, 200);
  assert.deepEqual(identity, { UserId: account, Account: account, Arn: `arn:aws:iam::${account}:root` });
});

it('a role gives credentials that are its own, end in time and outlive a restart of the control plane', async () => {
  await iam.send(new CreateRoleCommand({ RoleName: 'deploy', AssumeRolePolicyDocument: trustAccount, MaxSessionDuration: 7200 }));
  const { Credentials: given, AssumedRoleUser: who } = await root.send(
    new AssumeRoleCommand({ RoleArn: arnOf('deploy'), RoleSessionName: 'me', DurationSeconds: 1800 }),
  );
  assert.equal(who?.Arn, `arn:aws:sts::${account}:assumed-role/deploy/me`);
  assert.match(who?.AssumedRoleId ?? '', /^AROA[A-Z2-7]{17}:me$/);
  assert.match(given?.AccessKeyId ?? '', /^ASIA[A-Z2-7]{16}$/);
  const left = (given?.Expiration?.getTime() ?? 0) - clock.now();
  assert.ok(left > 1_795_000 && left <= 1_800_000, String(left));
  const session = taken(given);
  const { Arn } = await stsAs(session).send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, who?.Arn);

  const again = await platform.open();
  const { Arn: later } = await stsAs(session, again.endpoint).send(new GetCallerIdentityCommand({}));
  assert.equal(later, who?.Arn);
  await again.gateway.close();

  const invalid = { name: 'InvalidClientTokenId', message: 'The security token included in the request is invalid.' };
  await assert.rejects(stsAs({ ...session, sessionToken: '' }).send(new GetCallerIdentityCommand({})), invalid);
  await assert.rejects(stsAs({ ...session, sessionToken: `${session.sessionToken.slice(0, -4)}AAAA` }).send(new GetCallerIdentityCommand({})), invalid); // prettier-ignore
  await assert.rejects(stsAs({ ...session, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' }).send(new GetCallerIdentityCommand({})), invalid);
  await assert.rejects(stsAs({ ...session, secretAccessKey: 'x' }).send(new GetCallerIdentityCommand({})), {
    name: 'SignatureDoesNotMatch',
  });

  skewMs = 1_801_000;
  const expired = { name: 'ExpiredToken', message: 'The security token included in the request is expired' };
  await assert.rejects(stsAs(session).send(new GetCallerIdentityCommand({})), expired);
  skewMs = 0;
});

it('what a session may do is what its role may, and of that what its own policy leaves', async () => {
  await iam.send(new CreateRoleCommand({ RoleName: 'reader', AssumeRolePolicyDocument: trustAccount }));
  const Policy = (Resource: string) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iam:List*', Resource }] });
  await iam.send(new PutRolePolicyCommand({ RoleName: 'reader', PolicyName: 'p', PolicyDocument: Policy('*') }));
  const list = async (policy: object) => {
    const { Credentials: given } = await root.send(new AssumeRoleCommand({ RoleArn: arnOf('reader'), RoleSessionName: 'ss', ...policy }));
    const client = new IAMClient(options(taken(given)));
    clients.push(client);
    return await client.send(new ListUsersCommand({})).then(() => 'listed', (error: Error) => error.message); // prettier-ignore
  };
  assert.equal(await list({}), 'listed');
  const text = `User: arn:aws:sts::${account}:assumed-role/reader/ss is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::${account}:user/ because no session policy allows the iam:ListUsers action`; // prettier-ignore
  assert.equal(await list({ Policy: Policy(`arn:aws:iam::${account}:role/`) }), text);
  assert.equal(await list({ Policy: Policy('*') }), 'listed');
  assert.equal(await list({ PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess' }] }), text);
});

it('refuses what AWS refuses, and a role of the same name again is another role', async () => {
  const assume = (more: object) => root.send(new AssumeRoleCommand({ RoleArn: arnOf('deploy'), RoleSessionName: 'me', ...more }));
  const absent = `User: arn:aws:iam::${account}:root is not authorized to perform: sts:AssumeRole on resource: ${arnOf('nobody')}`;
  await assert.rejects(assume({ RoleArn: arnOf('nobody') }), { name: 'AccessDenied', message: absent });
  await assert.rejects(assume({ RoleArn: 'deploy' }), { name: 'ValidationError', message: 'deploy is invalid' });
  await assert.rejects(assume({ RoleSessionName: 'a b' }), { name: 'ValidationError' });
  await assert.rejects(assume({ DurationSeconds: 899 }), { name: 'ValidationError' });
  await assert.rejects(assume({ DurationSeconds: 7201 }), {
    message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  });
  await assert.rejects(assume({ Policy: '{' }), { name: 'MalformedPolicyDocumentException' });
  const session = stsAs(taken((await assume({})).Credentials));
  await iam.send(new DeleteRoleCommand({ RoleName: 'deploy' }));
  await iam.send(new CreateRoleCommand({ RoleName: 'deploy', AssumeRolePolicyDocument: trustAccount }));
  await iam.send(new PutRolePolicyCommand({ RoleName: 'deploy', PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }) })); // prettier-ignore
  await assert.rejects(session.send(new AssumeRoleCommand({ RoleArn: arnOf('reader'), RoleSessionName: 'me' })), { name: 'AccessDenied' });
});

it('GetSessionToken gives the caller itself for a while', async () => {
  const { Credentials: given } = await root.send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
  const session = stsAs(taken(given));
  const { Arn } = await session.send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, `arn:aws:iam::${account}:root`);
  await assert.rejects(session.send(new GetSessionTokenCommand({})), { message: 'Cannot call GetSessionToken with session credentials' });
});

it('names what it does not do', async () => {
  await assert.rejects(root.send(new DecodeAuthorizationMessageCommand({ EncodedMessage: 'x' })), {
    name: 'UnsupportedOperation',
    message: 'berth does not implement sts:DecodeAuthorizationMessage yet.',
  });
});
