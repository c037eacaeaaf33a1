import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { IAM } from '@aws-sdk/client-iam';
import { openObjects, type Objects } from '#objects/index.ts';
import { account, openIamPlatform } from '../../test/iam/platform.ts';
import { environmentOfFiles } from './environment-files.ts';
import type { RemoteObjects } from './remote-objects.ts';

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let objects: Objects;
let iam: IAM;

const task = { account, region: 'us-east-1', cluster: 'default', id: 'f'.repeat(32) };
const role = `arn:aws:iam::${account}:role/execution`;
const headers = { contentType: null, cacheControl: null, contentDisposition: null, contentEncoding: null, contentLanguage: null, expires: null, redirect: null, metadata: {}, storageClass: 'STANDARD' }; // prettier-ignore

async function put(key: string, text: string): Promise<void> {
  const body = (async function* () {
    yield Buffer.from(text);
  })();
  await objects.put({ bucket: 'b', key, headers, tags: [], body, algorithm: 'CRC32', expected: () => ({}), condition: {} });
}

before(async () => {
  platform = await openIamPlatform();
  objects = await openObjects(platform, { dir: join(platform.folder, 'objects') });
  objects.createBucket({ name: 'b', account, region: 'us-east-1', tags: [] });
  objects.createBucket({ name: 'foreign', account: '999999999999', region: 'us-east-1', tags: [] });
  await put('one.env', 'A=1\nB=1\nOWN=file');
  await put('two.env', 'B=2\nC=2');
  iam = new IAM({ endpoint: platform.endpoint, region: 'us-east-1', maxAttempts: 1, credentials: platform.root });
});
after(async () => {
  iam?.destroy();
  await objects?.close();
  await platform?.close();
});

const ask = (files: string[], by?: string, remote: RemoteObjects | null = null) => {
  const { store, identity, clock } = platform;
  const container = { environment: { OWN: 'own' }, environmentFiles: files.map((name) => `arn:aws:s3:::${name}`) };
  return environmentOfFiles({ store, identity, clock, objects, remote }, task, by, container);
};
const refused = (files: string[], message: RegExp, by?: string) =>
  assert.rejects(ask(files, by), { code: 'ResourceInitialization', message });

test('of a variable in several files the first has it, and the container’s own before all', async () => {
  assert.deepEqual(await ask(['b/one.env', 'b/two.env']), { A: '1', B: '1', C: '2' });
  assert.deepEqual(await ask([]), {});
});

test('a bucket that is not here is the named endpoint’s', async () => {
  const remote: RemoteObjects = { get: async (bucket, key) => Buffer.from(`FROM=${bucket}/${key}`) };
  assert.deepEqual(await ask(['elsewhere/x.env', 'b/one.env'], undefined, remote), { FROM: 'elsewhere/x.env', A: '1', B: '1' });
  await refused(['elsewhere/x.env'], /^failed to download env files: .*NoSuchBucket: The specified bucket does not exist$/);
});

test('what can’t be had, or is no such file, is said in ECS’s words and without values', async () => {
  await refused(['b/none.env'], /^failed to download env files: file download command: non empty error stream: .*NoSuchKey/);
  await refused(['foreign/x.env'], /AccessDenied: Access Denied$/);
  await put('bad.env', 'fine=1\nhush hush=secret');
  await assert.rejects(ask(['b/bad.env']), (error: Error) => /bad\.env: line 2 has a variable name/.test(error.message) && !/secret/.test(error.message)); // prettier-ignore
  await put('large.env', `A=${'x'.repeat(300_000)}`);
  await refused(['b/large.env'], /EntityTooLarge/);
});

test('the execution role must allow it, once there are roles', async () => {
  assert.deepEqual(Object.keys(await ask(['b/one.env'], role)), ['A', 'B']);
  const trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'; // prettier-ignore
  await iam.createRole({ RoleName: 'execution', AssumeRolePolicyDocument: trust });
  await refused(['b/one.env'], /AccessDenied: User: .* is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b\/one\.env"/, role); // prettier-ignore
  const policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/one.env"}]}';
  await iam.putRolePolicy({ RoleName: 'execution', PolicyName: 'files', PolicyDocument: policy });
  assert.deepEqual(await ask(['b/one.env'], role), { A: '1', B: '1' });
  await refused(['b/two.env'], /AccessDenied/, role);
  await refused(['b/one.env'], /AccessDenied: the task has no execution role that could allow s3:GetObject$/);
  await assert.rejects(ask(['b/one.env'], `arn:aws:iam::${account}:role/none`), /ECS was unable to assume the role/);
});
