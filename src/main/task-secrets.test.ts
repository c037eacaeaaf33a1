import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IAM } from '@aws-sdk/client-iam';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { SSM } from '@aws-sdk/client-ssm';
import type { ContainerSpec } from '#domain/task-spec.ts';
import { account, openIamPlatform } from '../../test/iam/platform.ts';
import { taskSecrets } from './task-secrets.ts';

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let manager: SecretsManager;
let far: SecretsManager;
let ssm: SSM;
let iam: IAM;
let arn: string;

const token = (letter: string) => letter.repeat(32);
const task = { account, region: 'us-east-1', cluster: 'default', id: 'f'.repeat(32) };

before(async () => {
  platform = await openIamPlatform();
  const options = { endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root };
  manager = new SecretsManager(options);
  far = new SecretsManager({ ...options, region: 'eu-west-1' });
  ssm = new SSM(options);
  iam = new IAM(options);
  const SecretString = JSON.stringify({ user: 'ann', port: 5432, nested: { a: 1 } });
  arn = (await manager.createSecret({ Name: 'db', SecretString, ClientRequestToken: token('a'), Tags: [{ Key: 'team', Value: 'a' }] })).ARN ?? ''; // prettier-ignore
  await manager.putSecretValue({ SecretId: 'db', SecretString: 'plain', ClientRequestToken: token('b') });
  await ssm.putParameter({ Name: '/app/x', Value: 'one', Type: 'SecureString' });
  await ssm.putParameter({ Name: '/app/x', Value: 'two', Overwrite: true });
  await ssm.putParameter({ Name: 'flat', Value: 'flat', Type: 'String' });
});
after(async () => {
  for (const client of [manager, far, ssm, iam]) client?.destroy();
  await platform?.close();
});

const ask = (container: Partial<ContainerSpec>, role?: string) => {
  const { store, identity, clock, vault } = platform;
  return taskSecrets({ store, identity, clock, vault }, task, role, { log: null, ...container } as ContainerSpec);
};
const valueOf = async (valueFrom: string, role?: string) => (await ask({ secrets: [{ name: 'A', valueFrom }] }, role)).environment['A'];
const refused = (valueFrom: string, message: string | RegExp, role?: string) =>
  assert.rejects(valueOf(valueFrom, role), { code: 'ResourceInitialization', message });
const ASM = 'execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret'; // prettier-ignore
const PARAMETERS = 'execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s):';

test('values by name, ARN, JSON key, label, version and region', async () => {
  const { ARN: elsewhere } = await far.createSecret({ Name: 'far', SecretString: 'far away' });
  const cases: [string, string][] = [
    [arn, 'plain'],
    [arn.slice(0, -7), 'plain'],
    [`${arn}:user:AWSPREVIOUS:`, 'ann'],
    [`${arn}:port::${token('a')}`, '5432'],
    [`${arn}:nested:AWSPREVIOUS:${token('a')}`, '{"a":1}'],
    [`${arn}::AWSCURRENT:`, 'plain'],
    [elsewhere ?? '', 'far away'],
    ['/app/x', 'two'],
    ['/app/x:1', 'one'],
    [`arn:aws:ssm:us-east-1:${account}:parameter/app/x`, 'two'],
    [`arn:aws:ssm:us-east-1:${account}:parameter/flat`, 'flat'],
    ['flat', 'flat'],
  ];
  for (const [from, value] of cases) assert.equal(await valueOf(from), value, from);
  const secretOptions = [{ name: 'splunk-token', valueFrom: 'flat' }];
  const log = { driver: 'splunk' as const, options: {}, secretOptions, delivery: { mode: 'blocking' as const, bufferBytes: 1 } };
  assert.deepEqual((await ask({ log })).logOptions, { 'splunk-token': 'flat' });
});

test('a registry’s user and password', async () => {
  await manager.createSecret({ Name: 'registry', SecretString: '{"username":"u","password":"p"}' });
  assert.deepEqual((await ask({ registrySecret: 'registry' })).registry, { username: 'u', password: 'p' });
  await assert.rejects(ask({ registrySecret: arn }), { message: `execution resource retrieval failed: unable to get registry auth from asm: the secret ${arn} is no JSON object with a username` }); // prettier-ignore
});

test('what can not be had is said in the words of ECS’s agent, without a value', async () => {
  const none = `arn:aws:secretsmanager:us-east-1:${account}:secret:none-AbCdEf`;
  await refused(none, `${ASM} ${none} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.`);
  await refused(`${arn}:nobody:AWSPREVIOUS:`, `${ASM} ${arn} from secrets manager: retrieved secret from Secrets Manager did not contain json key nobody`); // prettier-ignore
  await refused(`${arn}:user::`, `${ASM} ${arn} from secrets manager: the secret is no JSON object, of which the key user could be taken`);
  await refused(`${arn}:a:b:c:d`, /unexpected ARN format with parameters/);
  await refused('/none', `${PARAMETERS} invalid ssm parameters: /none`);
  await manager.createSecret({ Name: 'binary', SecretBinary: Buffer.from([1]) });
  await refused(`arn:aws:secretsmanager:us-east-1:${account}:secret:binary`, /the secret is binary/);
  await manager.createSecret({ Name: 'null', SecretString: 'a\0b' });
  await refused(`arn:aws:secretsmanager:us-east-1:${account}:secret:null`, /contains a null character/);
  const long = 'x'.repeat(65_000);
  await manager.createSecret({ Name: 'long', SecretString: long });
  const many = Array.from({ length: 9 }, (_, at) => ({ name: `A${at}`, valueFrom: `arn:aws:secretsmanager:us-east-1:${account}:secret:long` })); // prettier-ignore
  await assert.rejects(ask({ secrets: many }), { message: /have 585000 bytes together; up to 524288 fit/ });
});

test('the execution role’s rights: a mere name while nobody keeps IAM; then what its policies, the tags and the secret’s own policy say', async () => {
  const role = `arn:aws:iam::${account}:role/execution`;
  assert.equal(await valueOf(arn, role), 'plain');
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }] }); // prettier-ignore
  await iam.createRole({ RoleName: 'execution', AssumeRolePolicyDocument: trust });
  const session = `arn:aws:sts::${account}:assumed-role/execution/${task.id}`;
  await refused(arn, `${ASM} ${arn} from secrets manager: AccessDeniedException: User: ${session} is not authorized to perform: secretsmanager:GetSecretValue on resource: ${arn} because no identity-based policy allows the secretsmanager:GetSecretValue action`, role); // prettier-ignore
  await refused('/app/x', new RegExp(`AccessDeniedException: .* not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:${account}:parameter/app/x`), role); // prettier-ignore
  const may = (Statement: object) => iam.putRolePolicy({ RoleName: 'execution', PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }) }); // prettier-ignore
  const allow = { Effect: 'Allow', Action: ['secretsmanager:GetSecretValue', 'ssm:GetParameters'], Resource: '*' };
  await may({ ...allow, Condition: { StringEquals: { 'secretsmanager:ResourceTag/team': 'a' } } });
  assert.equal(await valueOf(arn, role), 'plain');
  await refused('flat', /AccessDenied/, role);
  await refused('flat', /AccessDeniedException: the task has no execution role that could allow ssm:GetParameters$/);
  await may(allow);
  assert.equal(await valueOf('flat', role), 'flat');
  const deny = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: { AWS: role }, Action: '*', Resource: '*' }] };
  await manager.putResourcePolicy({ SecretId: 'db', ResourcePolicy: JSON.stringify(deny) });
  await refused(arn, /with an explicit deny in a resource-based policy/, role);
  const absent = `arn:aws:iam::${account}:role/nobody`;
  await assert.rejects(valueOf('flat', absent), { code: 'AccessDenied', message: /^ECS was unable to assume the role/ });
});
