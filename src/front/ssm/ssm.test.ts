import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IAM } from '@aws-sdk/client-iam';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { SSM } from '@aws-sdk/client-ssm';
import { account, openIamPlatform } from '../../../test/iam/platform.ts';

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let api: SSM;

before(async () => {
  platform = await openIamPlatform();
  api = clientOf(platform.root);
});
after(async () => {
  api?.destroy();
  await platform?.close();
});

function clientOf(credentials: { accessKeyId: string; secretAccessKey: string }): SSM {
  return new SSM({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials });
}

const kept = () => platform.store.read(async (tx) => JSON.stringify([await tx.parameters.list({}), await tx.parameterVersions.list({})]));

test('a parameter is written, overwritten, read by version and label, and told with its history; no value stands in the clear', async () => {
  const Name = '/app/db/password';
  const made = await api.putParameter({ Name, Value: 'hunter2-one', Type: 'SecureString', Description: 'd', Tags: [{ Key: 'team', Value: 'a' }] }); // prettier-ignore
  assert.deepEqual([made.Version, made.Tier], [1, 'Standard']);
  assert.equal((await api.putParameter({ Name, Value: 'hunter2-two', Overwrite: true })).Version, 2);
  const read = async (name: string, WithDecryption = true) => (await api.getParameter({ Name: name, WithDecryption })).Parameter;
  const newest = await read(Name);
  assert.deepEqual([newest?.Value, newest?.Version, newest?.Type, newest?.ARN, newest?.Selector], ['hunter2-two', 2, 'SecureString', `arn:aws:ssm:us-east-1:${account}:parameter${Name}`, undefined]); // prettier-ignore
  const sealed = (await read(Name, false))?.Value ?? '';
  assert.ok(sealed.length > 50 && !sealed.includes('hunter2'));
  assert.deepEqual((await api.labelParameterVersion({ Name, ParameterVersion: 1, Labels: ['prod', '1st', 'aws-x'] })).InvalidLabels, ['1st', 'aws-x']); // prettier-ignore
  for (const selector of [':1', ':prod']) {
    const one = await read(Name + selector);
    assert.deepEqual([one?.Value, one?.Version, one?.Selector, one?.Name], ['hunter2-one', 1, selector, Name]);
  }
  assert.equal((await read(`${newest?.ARN}:prod`))?.Value, 'hunter2-one');
  await api.labelParameterVersion({ Name, Labels: ['prod'] });
  assert.equal((await read(`${Name}:prod`))?.Value, 'hunter2-two');
  const { Parameters: history = [] } = await api.getParameterHistory({ Name, WithDecryption: true });
  assert.deepEqual(history.map(({ Version, Value, Labels }) => [Version, Value, Labels]), [[1, 'hunter2-one', []], [2, 'hunter2-two', ['prod']]]); // prettier-ignore
  assert.deepEqual(await api.unlabelParameterVersion({ Name, ParameterVersion: 2, Labels: ['prod', 'x'] }).then(({ RemovedLabels, InvalidLabels }) => [RemovedLabels, InvalidLabels]), [['prod'], ['x']]); // prettier-ignore
  await api.putParameter({ Name: 'plain', Value: 'hunter2-plain', Type: 'String' });
  assert.ok(!(await kept()).includes('hunter2'));
  const several = await api.getParameters({ Names: [Name, 'plain', 'none', `${Name}:7`, 'arn:aws:ssm:us-east-1:123456789012:parameter/plain'], WithDecryption: true }); // prettier-ignore
  assert.deepEqual([several.Parameters?.map((one) => one.Value), several.InvalidParameters], [['hunter2-two', 'hunter2-plain', 'hunter2-plain'], ['none', `${Name}:7`]]); // prettier-ignore
  assert.deepEqual((await api.listTagsForResource({ ResourceType: 'Parameter', ResourceId: Name })).TagList, [{ Key: 'team', Value: 'a' }]);
  await api.addTagsToResource({ ResourceType: 'Parameter', ResourceId: Name, Tags: [{ Key: 'x', Value: 'y' }] });
  await api.removeTagsFromResource({ ResourceType: 'Parameter', ResourceId: Name, TagKeys: ['team'] });
  assert.deepEqual((await api.listTagsForResource({ ResourceType: 'Parameter', ResourceId: Name })).TagList, [{ Key: 'x', Value: 'y' }]);
  const { Parameters: [told] = [] } = await api.describeParameters({ ParameterFilters: [{ Key: 'Name', Values: [Name] }] }); // prettier-ignore
  assert.deepEqual([told?.Version, told?.KeyId, told?.Tier, told?.Description, told?.LastModifiedUser, told?.DataType], [2, 'alias/aws/ssm', 'Standard', 'd', `arn:aws:iam::${account}:root`, 'text']); // prettier-ignore
});

test('a level of the hierarchy, or all below it, in pages; described by filters', async () => {
  for (const [at, name] of ['/h/a', '/h/b', '/h/c/d', '/h/c/e', '/hx'].entries()) {
    await api.putParameter({
      Name: name,
      Value: name,
      Type: at % 2 === 0 ? 'String' : 'StringList',
      Tags: [{ Key: 'h', Value: String(at) }],
    });
  }
  const under = async (Path: string, Recursive: boolean, more: object = {}) => {
    const names: (string | undefined)[] = [];
    for (let NextToken: string | undefined, first = true; first || NextToken !== undefined; first = false) {
      const page = await api.getParametersByPath({ Path, Recursive, MaxResults: 1, NextToken, ...more });
      names.push(...(page.Parameters ?? []).map((one) => one.Value));
      NextToken = page.NextToken;
    }
    return names;
  };
  assert.deepEqual(await under('/h', false), ['/h/a', '/h/b']);
  assert.deepEqual(await under('/h/', true), ['/h/a', '/h/b', '/h/c/d', '/h/c/e']);
  assert.deepEqual(await under('/h', true, { ParameterFilters: [{ Key: 'Type', Values: ['StringList'] }] }), ['/h/b', '/h/c/e']);
  await api.labelParameterVersion({ Name: '/h/a', Labels: ['old'] });
  await api.putParameter({ Name: '/h/a', Value: 'new', Overwrite: true });
  assert.deepEqual(await under('/h', true, { ParameterFilters: [{ Key: 'Label', Values: ['old'] }] }), ['/h/a']);
  const described = async (...filters: [string, string | undefined, string[]][]) =>
    (await api.describeParameters({ ParameterFilters: filters.map(([Key, Option, Values]) => ({ Key, Option, Values })) })).Parameters?.map((one) => one.Name); // prettier-ignore
  assert.deepEqual(await described(['Path', 'Recursive', ['/h']], ['Type', undefined, ['String']]), ['/h/a', '/h/c/d']);
  assert.deepEqual(await described(['Name', 'BeginsWith', ['/hx']]), ['/hx']);
  assert.deepEqual(await described(['Name', 'Contains', ['c/']]), ['/h/c/d', '/h/c/e']);
  assert.deepEqual(await described(['tag:h', 'Equals', ['1']]), ['/h/b']);
});

test('the newest hundred versions are kept, and a label holds the oldest', async () => {
  const Name = 'many';
  await api.putParameter({ Name, Value: '1', Type: 'String' });
  for (let at = 2; at <= 101; at++) await api.putParameter({ Name, Value: String(at), Overwrite: true });
  await assert.rejects(api.getParameter({ Name: 'many:1' }), { name: 'ParameterVersionNotFound' });
  await api.labelParameterVersion({ Name, ParameterVersion: 2, Labels: ['keep'] });
  await assert.rejects(api.putParameter({ Name, Value: 'x', Overwrite: true }), { name: 'ParameterMaxVersionLimitExceeded' });
  assert.equal((await api.getParameter({ Name })).Parameter?.Value, '101');
});

test('a secret is read as a parameter, with the permissions of both', async () => {
  const secrets = new SecretsManager({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
  const { ARN, VersionId: first = '' } = await secrets.createSecret({ Name: 'app/db', SecretString: 'one' });
  await secrets.putSecretValue({ SecretId: 'app/db', SecretString: 'two' });
  const Name = '/aws/reference/secretsmanager/app/db';
  const { Parameter: read } = await api.getParameter({ Name, WithDecryption: true });
  assert.deepEqual([read?.Name, read?.Type, read?.Value, read?.Version, read?.ARN], [Name, 'SecureString', 'two', 0, ARN]);
  assert.deepEqual(JSON.parse(read?.SourceResult ?? '').VersionStages, ['AWSCURRENT']);
  for (const selector of [first, 'AWSPREVIOUS']) {
    const { Parameter: former } = await api.getParameter({ Name: `${Name}:${selector}`, WithDecryption: true });
    assert.deepEqual([former?.Value, former?.Selector], ['one', `:${selector}`]);
  }
  await api.putParameter({ Name: '/app/plain', Value: 'x', Type: 'String' });
  const several = await api.getParameters({ Names: [Name, '/app/plain', '/aws/reference/secretsmanager/none'], WithDecryption: true });
  assert.deepEqual(several.Parameters?.map(({ Value }) => Value).toSorted(), ['two', 'x']);
  assert.deepEqual(several.InvalidParameters, ['/aws/reference/secretsmanager/none']);
  await assert.rejects(api.getParameter({ Name }), {
    name: 'ValidationException',
    message: 'WithDecryption flag must be True for retrieving a Secret Manager secret.',
  });

  const iam = new IAM({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
  await iam.createUser({ UserName: 'bob' });
  const { AccessKey } = await iam.createAccessKey({ UserName: 'bob' });
  const bob = clientOf({ accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' });
  const may = async (...Action: string[]) =>
    void (await iam.putUserPolicy({ UserName: 'bob', PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action, Resource: '*' } }) })); // prettier-ignore
  await may('ssm:*');
  await assert.rejects(bob.getParameter({ Name, WithDecryption: true }), { name: 'AccessDeniedException', message: new RegExp(`perform: secretsmanager:GetSecretValue on resource: ${ARN}`) }); // prettier-ignore
  await assert.rejects(bob.getParameters({ Names: [Name], WithDecryption: true }), { name: 'AccessDeniedException' });
  await may('secretsmanager:*');
  await assert.rejects(bob.getParameter({ Name, WithDecryption: true }), { name: 'AccessDeniedException', message: /perform: ssm:GetParameter/ }); // prettier-ignore
  await may('ssm:GetParameter', 'secretsmanager:GetSecretValue');
  assert.equal((await bob.getParameter({ Name, WithDecryption: true })).Parameter?.Value, 'two');
  for (const client of [bob, iam, secrets]) client.destroy();
  await api.deleteParameter({ Name: '/app/plain' });
});

test('bad input to each operation is refused in its words, and changes nothing', async () => {
  const Name = '/bad/one';
  await api.putParameter({ Name, Value: '5', Type: 'String', AllowedPattern: '^\\d+$' });
  await api.putParameter({ Name: '/bad/large', Value: 'x'.repeat(5000), Type: 'String', Tier: 'Intelligent-Tiering' });
  const was = await kept();
  const put = (input: object) => api.putParameter({ Name: '/bad/two', Value: 'x', Type: 'String', ...input });
  const cases: [string, () => Promise<unknown>][] = [
    ['ParameterAlreadyExists', () => put({ Name })],
    ['ParameterPatternMismatchException', () => put({ Name, Overwrite: true, Type: undefined })],
    ['InvalidAllowedPatternException', () => put({ AllowedPattern: '(' })],
    ['HierarchyTypeMismatchException', () => put({ Name, Overwrite: true, Value: '6', Type: 'SecureString' })],
    ['ValidationException', () => put({ Type: undefined })],
    ['UnsupportedParameterType', () => put({ Type: 'Secret' })],
    ['ValidationException', () => put({ Value: '' })],
    ['ValidationException', () => put({ Value: 'x'.repeat(4097) })],
    ['ValidationException', () => put({ Value: 'x'.repeat(8193), Tier: 'Advanced' })],
    ['ValidationException', () => put({ Name: '/bad/large', Overwrite: true, Tier: 'Standard' })],
    ['ValidationException', () => put({ Value: 'see {{ssm:/bad/one}}' })],
    ['ParameterNotFound', () => api.getParameter({ Name: '/aws/reference/secretsmanager/none', WithDecryption: true })],
    ['ValidationException', () => put({ Name: '/aws/x' })],
    ['ValidationException', () => put({ Name: 'a/b' })],
    ['ValidationException', () => put({ Name: '/a//b' })],
    ['HierarchyLevelLimitExceededException', () => put({ Name: '/a'.repeat(16) })],
    ['ValidationException', () => put({ Tags: [{ Key: 'a', Value: 'b' }], Overwrite: true })],
    ['InvalidKeyId', () => put({ Type: 'SecureString', KeyId: 'alias/mine' })],
    ['UnsupportedOperation', () => put({ Policies: '[{"Type":"Expiration"}]' })],
    ['UnsupportedOperation', () => put({ DataType: 'aws:ec2:image' })],
    ['ParameterNotFound', () => api.getParameter({ Name: '/bad/none' })],
    ['ParameterVersionNotFound', () => api.getParameter({ Name: `${Name}:2` })],
    ['ParameterVersionNotFound', () => api.getParameter({ Name: `${Name}:label` })],
    ['ValidationException', () => api.getParameters({ Names: Array<string>(11).fill('a') })],
    ['ValidationException', () => api.getParametersByPath({ Path: 'a' })],
    ['ValidationException', () => api.getParametersByPath({ Path: '/', MaxResults: 11 })],
    ['InvalidNextToken', () => api.getParametersByPath({ Path: '/', NextToken: 'abc' })],
    ['InvalidFilterKey', () => api.getParametersByPath({ Path: '/', ParameterFilters: [{ Key: 'Name', Values: ['a'] }] })],
    ['InvalidFilterOption', () => api.describeParameters({ ParameterFilters: [{ Key: 'Type', Option: 'BeginsWith', Values: ['S'] }] })],
    ['InvalidFilterValue', () => api.describeParameters({ ParameterFilters: [{ Key: 'Type' }] })],
    ['ParameterNotFound', () => api.getParameterHistory({ Name: '/bad/none' })],
    ['ParameterNotFound', () => api.deleteParameter({ Name: '/bad/none' })],
    ['ValidationException', () => api.deleteParameters({ Names: [] })],
    ['ParameterNotFound', () => api.labelParameterVersion({ Name: '/bad/none', Labels: ['a'] })],
    ['ParameterVersionNotFound', () => api.labelParameterVersion({ Name, ParameterVersion: 2, Labels: ['a'] })],
    ['ValidationException', () => api.labelParameterVersion({ Name, Labels: Array<string>(11).fill('a') })],
    ['ParameterVersionNotFound', () => api.unlabelParameterVersion({ Name, ParameterVersion: 2, Labels: ['a'] })],
    ['InvalidResourceId', () => api.addTagsToResource({ ResourceType: 'Parameter', ResourceId: 'none', Tags: [{ Key: 'a', Value: 'b' }] })],
    ['InvalidResourceType', () => api.addTagsToResource({ ResourceType: 'Document', ResourceId: Name, Tags: [{ Key: 'a', Value: 'b' }] })],
    ['InvalidResourceId', () => api.removeTagsFromResource({ ResourceType: 'Parameter', ResourceId: 'none', TagKeys: ['a'] })],
    ['InvalidResourceId', () => api.listTagsForResource({ ResourceType: 'Parameter', ResourceId: 'none' })],
    ['UnsupportedOperationException', () => api.listDocuments({})],
  ] as [string, () => Promise<unknown>][];
  for (const [name, call] of cases) await assert.rejects(call, { name }, `${name}: ${call}`);
  assert.equal(await kept(), was);
  const gone = await api.deleteParameters({ Names: [Name, '/bad/large', 'none'] });
  assert.deepEqual([gone.DeletedParameters, gone.InvalidParameters], [[Name, '/bad/large'], ['none']]);
  assert.ok(!(await kept()).includes('/bad/'));
});

test('who may read: by the path, and by the tag', async () => {
  const iam = new IAM({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
  await iam.createUser({ UserName: 'ann' });
  const { AccessKey } = await iam.createAccessKey({ UserName: 'ann' });
  const ann = clientOf({ accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' });
  for (const team of ['a', 'b']) {
    await api.putParameter({ Name: `/ann/${team}/x`, Value: team, Type: 'String', Tags: [{ Key: 'team', Value: team }] });
  }
  const may = async (Statement: object) =>
    void (await iam.putUserPolicy({ UserName: 'ann', PolicyName: 'p', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement }) })); // prettier-ignore
  const denied = { name: 'AccessDeniedException' };
  const base = `arn:aws:ssm:us-east-1:${account}:parameter/ann`;
  await may({ Effect: 'Allow', Action: 'ssm:Get*', Resource: `${base}/a/*` });
  await ann.getParameter({ Name: '/ann/a/x:1' });
  await assert.rejects(ann.getParameters({ Names: ['/ann/a/x', '/ann/b/x'] }), denied);
  await assert.rejects(ann.getParametersByPath({ Path: '/ann', Recursive: true }), denied);
  await may({ Effect: 'Allow', Action: 'ssm:Get*', Resource: `${base}*`, Condition: { StringEquals: { 'ssm:resourceTag/team': 'b' } } });
  await ann.getParameter({ Name: '/ann/b/x' });
  await assert.rejects(ann.getParameter({ Name: '/ann/a/x' }), denied);
  ann.destroy();
  iam.destroy();
});
