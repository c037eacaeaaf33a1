import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { IAM } from '@aws-sdk/client-iam';
import { silentLog } from '#base/log.ts';
import { startHousekeepingLoop } from '#control/housekeeping-loop.ts';
import { startVaultLoop } from '#control/vault-loop.ts';
import { limits } from '#base/limits.ts';
import { account, openIamPlatform } from '../../../test/iam/platform.ts';

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let api: SecretsManager;
/** How far the platform's clock is ahead. */
let aheadMs = 0;
const wall = Date.now();

before(async () => {
  const clock = {
    now: () => Date.now() + aheadMs,
    after: (ms: number, fn: () => void) => {
      const timer = setTimeout(fn, ms);
      return { cancel: () => clearTimeout(timer) };
    },
    sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
  };
  platform = await openIamPlatform({ clock });
  api = clientOf(platform.root);
});
after(async () => {
  api?.destroy();
  await platform?.close();
});

function clientOf(credentials: { accessKeyId: string; secretAccessKey: string }): SecretsManager {
  return new SecretsManager({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials });
}

/** All that is kept of secrets. */
const kept = () => platform.store.read(async (tx) => JSON.stringify([await tx.secrets.list({}), await tx.secretVersions.list({})]));
const token = (letter: string) => letter.repeat(32);
const expire = async (ms: number) => {
  aheadMs = ms;
  const loop = startHousekeepingLoop({ store: platform.store, clock: { ...platform.clock, now: () => wall + ms }, log: silentLog }, 'test');
  await loop.stop();
  aheadMs = 0;
};

test('versions and their labels: current, previous, pending, one put twice, moved back, and the oldest forgotten', async () => {
  const Name = 'app/db';
  const made = await api.createSecret({ Name, SecretString: '{"user":"a"}', ClientRequestToken: token('a'), Description: 'd', Tags: [{ Key: 'team', Value: 'x' }] }); // prettier-ignore
  assert.match(made.ARN ?? '', /^arn:aws:secretsmanager:us-east-1:123456789012:secret:app\/db-[A-Za-z0-9]{6}$/);
  assert.deepEqual(await api.createSecret({ Name, SecretString: '{"user":"a"}', ClientRequestToken: token('a') }).then(({ ARN, VersionId }) => [ARN, VersionId]), [made.ARN, token('a')]); // prettier-ignore
  for (const SecretId of [Name, made.ARN, made.ARN?.slice(0, -7)]) {
    const { SecretString, VersionStages, VersionId } = await api.getSecretValue({ SecretId });
    assert.deepEqual([SecretString, VersionStages, VersionId], ['{"user":"a"}', ['AWSCURRENT'], token('a')]);
  }
  await api.putSecretValue({ SecretId: Name, SecretString: 'b', ClientRequestToken: token('b') });
  await api.putSecretValue({ SecretId: Name, SecretString: 'b', ClientRequestToken: token('b') });
  await api.putSecretValue({ SecretId: Name, SecretBinary: Buffer.from([0, 255]), ClientRequestToken: token('c'), VersionStages: ['AWSPENDING'] }); // prettier-ignore
  const stages = async () => (await api.describeSecret({ SecretId: Name })).VersionIdsToStages;
  assert.deepEqual(await stages(), { [token('a')]: ['AWSPREVIOUS'], [token('b')]: ['AWSCURRENT'], [token('c')]: ['AWSPENDING'] });
  assert.deepEqual([...((await api.getSecretValue({ SecretId: Name, VersionStage: 'AWSPENDING' })).SecretBinary ?? [])], [0, 255]);
  assert.equal((await api.getSecretValue({ SecretId: Name, VersionId: token('a') })).SecretString, '{"user":"a"}');
  await api.updateSecretVersionStage({ SecretId: Name, VersionStage: 'AWSCURRENT', RemoveFromVersionId: token('b'), MoveToVersionId: token('c') }); // prettier-ignore
  await api.updateSecretVersionStage({ SecretId: Name, VersionStage: 'AWSPENDING', RemoveFromVersionId: token('c') });
  assert.deepEqual(await stages(), { [token('b')]: ['AWSPREVIOUS'], [token('c')]: ['AWSCURRENT'] });
  const versions = async (IncludeDeprecated: boolean) => (await api.listSecretVersionIds({ SecretId: Name, IncludeDeprecated })).Versions?.length; // prettier-ignore
  assert.deepEqual([await versions(false), await versions(true)], [2, 3]);
  const updated = await api.updateSecret({ SecretId: Name, SecretString: 'd', Description: 'e' });
  const { Description, Tags } = await api.describeSecret({ SecretId: Name });
  assert.deepEqual([Description, Tags, (await api.getSecretValue({ SecretId: Name })).VersionId], ['e', [{ Key: 'team', Value: 'x' }], updated.VersionId]); // prettier-ignore
  assert.ok(!(await kept()).includes('"user'), 'values are encrypted');
});

test('lists by filters, in pages; several values at once, with what could not be had beside them', async () => {
  for (const Name of ['list/a', 'list/b', 'list/c']) {
    await api.createSecret({
      Name,
      SecretString: Name,
      Description: `Of ${Name.at(-1)} only`,
      Tags: [{ Key: 'list', Value: Name.at(-1) }],
    });
  }
  await api.createSecret({ Name: 'list/empty' });
  const names = async (Key: 'name' | 'tag-value' | 'description' | 'all', ...Values: string[]) =>
    (await api.listSecrets({ Filters: [{ Key, Values }, { Key: 'name', Values: ['list/'] }], SortBy: 'name' })).SecretList?.map((one) => one.Name); // prettier-ignore
  assert.deepEqual(await names('name', 'list/b', 'list/c'), ['list/b', 'list/c']);
  assert.deepEqual(await names('name', '!list/b'), ['list/a', 'list/c', 'list/empty']);
  assert.deepEqual(await names('tag-value', 'c'), ['list/c']);
  assert.deepEqual(await names('description', 'ONLY'), ['list/a', 'list/b', 'list/c']);
  assert.deepEqual(await names('all', 'of b'), ['list/b']);
  const seen: (string | undefined)[] = [];
  for (let NextToken: string | undefined, first = true; first || NextToken !== undefined; first = false) {
    const page = await api.listSecrets({ MaxResults: 2, Filters: [{ Key: 'name', Values: ['list/'] }], SortBy: 'name', SortOrder: 'asc', NextToken }); // prettier-ignore
    seen.push(...(page.SecretList ?? []).map((one) => one.Name));
    NextToken = page.NextToken;
  }
  assert.deepEqual(seen, ['list/a', 'list/b', 'list/c', 'list/empty']);
  const { SecretValues, Errors } = await api.batchGetSecretValue({ SecretIdList: ['list/a', 'list/empty', 'none'] });
  assert.deepEqual([SecretValues?.map((one) => one.SecretString), Errors?.map((one) => [one.SecretId, one.ErrorCode])], [['list/a'], [['list/empty', 'ResourceNotFoundException'], ['none', 'ResourceNotFoundException']]]); // prettier-ignore
  const filtered = await api.batchGetSecretValue({ Filters: [{ Key: 'tag-key', Values: ['list'] }], MaxResults: 2 });
  assert.equal(filtered.SecretValues?.length, 2);
  assert.notEqual(filtered.NextToken, undefined);
});

test('deleted: nothing can be done with it but bringing it back, until its window is over; by force it is gone at once', async () => {
  const SecretId = 'gone';
  await api.createSecret({ Name: SecretId, SecretString: 'x' });
  const { DeletionDate } = await api.deleteSecret({ SecretId, RecoveryWindowInDays: 7 });
  assert.ok(Math.abs((DeletionDate?.getTime() ?? 0) - Date.now() - 7 * 24 * 3600_000) < 60_000);
  const marked = { name: 'InvalidRequestException', message: "You can't perform this operation on the secret because it was marked for deletion." }; // prettier-ignore
  await assert.rejects(api.getSecretValue({ SecretId }), marked);
  await assert.rejects(api.putSecretValue({ SecretId, SecretString: 'y' }), marked);
  await assert.rejects(api.createSecret({ Name: SecretId, SecretString: 'y' }), { message: "You can't create this secret because a secret with this name is already scheduled for deletion." }); // prettier-ignore
  assert.notEqual((await api.describeSecret({ SecretId })).DeletedDate, undefined);
  await api.restoreSecret({ SecretId });
  assert.equal((await api.getSecretValue({ SecretId })).SecretString, 'x');
  await api.deleteSecret({ SecretId, RecoveryWindowInDays: 7 });
  await expire(6 * 24 * 3600_000);
  await api.describeSecret({ SecretId });
  await expire(8 * 24 * 3600_000);
  await assert.rejects(api.describeSecret({ SecretId }), { name: 'ResourceNotFoundException', message: "Secrets Manager can't find the specified secret." }); // prettier-ignore
  await api.createSecret({ Name: SecretId, SecretString: 'z' });
  await api.deleteSecret({ SecretId, ForceDeleteWithoutRecovery: true });
  await api.deleteSecret({ SecretId, ForceDeleteWithoutRecovery: true });
  assert.ok(!(await kept()).includes('"gone'));
});

test('bad input to each operation is refused in its words, and changes nothing', async () => {
  const SecretId = 'bad';
  await api.createSecret({ Name: SecretId, SecretString: 'x', ClientRequestToken: token('x') });
  await api.putSecretValue({ SecretId, SecretString: 'y', ClientRequestToken: token('y') });
  const was = await kept();
  const stage = (input: object) => api.updateSecretVersionStage({ SecretId, VersionStage: 'AWSCURRENT', ...input });
  const cases: [string, () => Promise<unknown>][] = [
    ['ResourceExistsException', () => api.createSecret({ Name: SecretId, SecretString: 'z' })],
    ['ValidationException', () => api.createSecret({ Name: 'no spaces', SecretString: 'z' })],
    ['ValidationException', () => api.createSecret({ Name: 'a'.repeat(513), SecretString: 'z' })],
    ['ValidationException', () => api.createSecret({ Name: 'long', SecretString: 'z'.repeat(65_537) })],
    ['InvalidParameterException', () => api.createSecret({ Name: 'both', SecretString: 'z', SecretBinary: Buffer.from('z') })],
    ['InvalidParameterException', () => api.createSecret({ Name: 'short', SecretString: 'z', ClientRequestToken: 'a' })],
    ['EncryptionFailure', () => api.createSecret({ Name: 'key', SecretString: 'z', KmsKeyId: 'alias/mine' })],
    ['InvalidParameterException', () => api.createSecret({ Name: 'tags', SecretString: 'z', Tags: [{ Key: 'aws:x', Value: 'y' }] })],
    ['InvalidRequestException', () => api.createSecret({ Name: 'copy', SecretString: 'z', AddReplicaRegions: [{ Region: 'eu-west-1' }] })],
    ['ResourceExistsException', () => api.putSecretValue({ SecretId, SecretString: 'other', ClientRequestToken: token('x') })],
    ['InvalidParameterException', () => api.putSecretValue({ SecretId })],
    ['InvalidParameterException', () => api.putSecretValue({ SecretId, SecretString: 'z', VersionStages: [] })],
    ['ResourceNotFoundException', () => api.putSecretValue({ SecretId: 'none', SecretString: 'z' })],
    ['ResourceNotFoundException', () => api.updateSecret({ SecretId: 'none', Description: 'z' })],
    ['ResourceNotFoundException', () => api.getSecretValue({ SecretId, VersionId: token('z') })],
    ['ResourceNotFoundException', () => api.getSecretValue({ SecretId, VersionStage: 'AWSPENDING' })],
    ['InvalidRequestException', () => api.getSecretValue({ SecretId, VersionId: token('x'), VersionStage: 'AWSCURRENT' })],
    ['ResourceNotFoundException', () => api.getSecretValue({ SecretId: `arn:aws:secretsmanager:us-east-1:999999999999:secret:${SecretId}` })], // prettier-ignore
    ['InvalidParameterException', () => api.batchGetSecretValue({})],
    ['InvalidParameterException', () => api.batchGetSecretValue({ SecretIdList: Array<string>(21).fill('a') })],
    ['InvalidParameterException', () => api.listSecrets({ Filters: [{ Key: 'colour' as 'name', Values: ['a'] }] })],
    ['InvalidNextTokenException', () => api.listSecrets({ NextToken: 'abc' })],
    ['ValidationException', () => api.listSecrets({ MaxResults: 101 })],
    ['InvalidParameterException', () => stage({})],
    ['InvalidParameterException', () => stage({ MoveToVersionId: token('x') })],
    ['InvalidParameterException', () => stage({ RemoveFromVersionId: token('y') })],
    ['InvalidParameterException', () => stage({ RemoveFromVersionId: token('x'), MoveToVersionId: token('y') })],
    ['ResourceNotFoundException', () => stage({ RemoveFromVersionId: token('y'), MoveToVersionId: token('z') })],
    ['InvalidParameterException', () => api.deleteSecret({ SecretId, RecoveryWindowInDays: 6 })],
    ['InvalidParameterException', () => api.deleteSecret({ SecretId, RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true })],
    ['ResourceNotFoundException', () => api.deleteSecret({ SecretId: 'none' })],
    ['ResourceNotFoundException', () => api.restoreSecret({ SecretId: 'none' })],
    ['InvalidParameterException', () => api.tagResource({ SecretId, Tags: [{ Key: '', Value: 'a' }] })],
    ['ResourceNotFoundException', () => api.untagResource({ SecretId: 'none', TagKeys: ['a'] })],
    ['MalformedPolicyDocumentException', () => api.putResourcePolicy({ SecretId, ResourcePolicy: '{}' })],
    ['PublicPolicyException', () => api.putResourcePolicy({ SecretId, BlockPublicPolicy: true, ResourcePolicy: policyOf('*') })],
    ['ResourceNotFoundException', () => api.deleteResourcePolicy({ SecretId: 'none' })],
    ['InvalidParameterException', () => api.getRandomPassword({ PasswordLength: 3 })],
    ['InvalidParameterException', () => api.getRandomPassword({ PasswordLength: 4097 })],
    ['UnsupportedOperationException', () => api.rotateSecret({ SecretId })],
    ['UnsupportedOperationException', () => api.replicateSecretToRegions({ SecretId, AddReplicaRegions: [{ Region: 'eu-west-1' }] })],
  ];
  for (const [name, call] of cases) await assert.rejects(call, { name }, `${name}: ${call}`);
  assert.equal(await kept(), was);
});

const policyOf = (AWS: string, Effect = 'Allow', Action = 'secretsmanager:GetSecretValue') =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Principal: { AWS }, Action, Resource: '*' }] });

test('who may read a value: by the name, the tag, and the secret’s own policy', async () => {
  const iam = new IAM({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
  await iam.createUser({ UserName: 'ann' });
  const { AccessKey } = await iam.createAccessKey({ UserName: 'ann' });
  const ann = clientOf({ accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' });
  const { ARN } = await api.createSecret({ Name: 'ann/one', SecretString: '1', Tags: [{ Key: 'team', Value: 'a' }] });
  await api.createSecret({ Name: 'ann/two', SecretString: '2', Tags: [{ Key: 'team', Value: 'b' }] });
  const may = async (Statement: object | null) => {
    if (Statement === null) return void (await iam.deleteUserPolicy({ UserName: 'ann', PolicyName: 'p' }));
    await iam.putUserPolicy({ UserName: 'ann', PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }) });
  };
  const read = async () => {
    const said = ['ann/one', 'ann/two'].map((SecretId) => ann.getSecretValue({ SecretId }).then(() => 'yes', (error: Error) => error.name)); // prettier-ignore
    return (await Promise.all(said)).map((one) => (one === 'AccessDeniedException' ? 'no' : one)).join(' ');
  };
  await assert.rejects(ann.getSecretValue({ SecretId: 'ann/one' }), {
    name: 'AccessDeniedException',
    message: `User: arn:aws:iam::${account}:user/ann is not authorized to perform: secretsmanager:GetSecretValue on resource: ${ARN} because no identity-based policy allows the secretsmanager:GetSecretValue action`,
  });
  const allow = { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: '*' };
  await may({ ...allow, Resource: `arn:aws:secretsmanager:us-east-1:${account}:secret:ann/one-??????` });
  assert.equal(await read(), 'yes no');
  for (const key of ['secretsmanager:ResourceTag/team', 'aws:ResourceTag/team']) {
    await may({ ...allow, Condition: { StringEquals: { [key]: 'b' } } });
    assert.equal(await read(), 'no yes', key);
  }
  await may(allow);
  await api.putResourcePolicy({ SecretId: 'ann/one', ResourcePolicy: policyOf(`arn:aws:iam::${account}:user/ann`, 'Deny') });
  assert.equal(await read(), 'no yes');
  await may(null);
  await api.putResourcePolicy({ SecretId: 'ann/one', ResourcePolicy: policyOf(`arn:aws:iam::${account}:user/ann`) });
  assert.equal(await read(), 'yes no');
  // No boundary limits what the secret gives to a user itself.
  await iam.putUserPermissionsBoundary({ UserName: 'ann', PermissionsBoundary: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess' });
  assert.equal(await read(), 'yes no');
  await iam.deleteUserPermissionsBoundary({ UserName: 'ann' });
  // The account as a whole: then its own policies decide.
  await api.putResourcePolicy({ SecretId: 'ann/one', ResourcePolicy: policyOf(`arn:aws:iam::${account}:root`) });
  assert.equal(await read(), 'no no');
  assert.equal((await api.getSecretValue({ SecretId: 'ann/one' })).SecretString, '1');
  await api.deleteResourcePolicy({ SecretId: 'ann/one' });
  assert.equal((await api.getResourcePolicy({ SecretId: 'ann/one' })).ResourcePolicy, undefined);
  assert.equal((await api.validateResourcePolicy({ ResourcePolicy: policyOf('*') })).PolicyValidationPassed, false);
  assert.equal((await api.validateResourcePolicy({ ResourcePolicy: policyOf(account) })).PolicyValidationPassed, true);
  ann.destroy();
  iam.destroy();
});

test('a secret’s policy means whom it names, not another who is made under the name', async () => {
  const iam = new IAM({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
  await api.createSecret({ Name: 'eve/one', SecretString: '1' });
  const { User: eve } = await iam.createUser({ UserName: 'eve' });
  await api.putResourcePolicy({ SecretId: 'eve/one', ResourcePolicy: policyOf(eve?.Arn ?? '') });
  await iam.deleteUser({ UserName: 'eve' });
  await iam.createUser({ UserName: 'eve' });
  const { AccessKey } = await iam.createAccessKey({ UserName: 'eve' });
  const other = clientOf({ accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' });
  await assert.rejects(other.getSecretValue({ SecretId: 'eve/one' }), { name: 'AccessDeniedException' });
  const { ResourcePolicy = '' } = await api.getResourcePolicy({ SecretId: 'eve/one' });
  assert.match(ResourcePolicy, new RegExp(`"${eve?.UserId}"`));
  other.destroy();
  iam.destroy();
});

test('a password has the kinds of letters that are asked for', async () => {
  const { RandomPassword = '' } = await api.getRandomPassword({});
  assert.equal(RandomPassword.length, 32);
  for (const kind of [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/]) assert.match(RandomPassword, kind);
  const digits = await api.getRandomPassword({ PasswordLength: 200, ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true, ExcludeCharacters: '0' }); // prettier-ignore
  assert.match(digits.RandomPassword ?? '', /^[1-9]{200}$/);
});

test('a new master key wraps all values anew, wherever it was cut off; the old one goes when nothing can be under it', async () => {
  const { vault, store, clock } = platform;
  const [old] = vault.keys();
  assert.ok((await store.read((tx) => tx.tablesWith(old!.prefix))).includes('secret_versions'));
  const fresh = vault.rotate();
  // Cut off after one value: the rest is as readable, and done by whoever comes next.
  await store.write((tx) => tx.rewrapSealed(old!.prefix, 1, vault.rewrap));
  const restarted = await platform.open();
  const again = new SecretsManager({ endpoint: restarted.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
  const values = async () => JSON.stringify((await again.batchGetSecretValue({ Filters: [{ Key: 'name', Values: ['list/', 'ann/'] }] })).SecretValues?.map((one) => one.SecretString).toSorted()); // prettier-ignore
  const all = await values();
  assert.match(all, /"1","2","list\/a"/);
  const look = async (ms: number) => {
    const loop = startVaultLoop({ store, clock: { ...clock, now: () => wall + ms }, log: silentLog, vault: restarted.vault }, 'test');
    await loop.stop();
  };
  await look(0);
  assert.deepEqual(await store.read((tx) => tx.tablesWith(old!.prefix)), []);
  assert.deepEqual(restarted.vault.keys().map((key) => key.id), [old!.id, fresh.id]); // prettier-ignore
  assert.equal(await values(), all);
  await look(limits.sessionTokenMaxMs + 120_000);
  assert.deepEqual(restarted.vault.keys().map((key) => key.id), [fresh.id]); // prettier-ignore
  assert.equal(await values(), all);
  again.destroy();
  await restarted.gateway.close();
});
