import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createS3Api } from '#front/s3/index.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { openObjects, type Objects } from '#objects/index.ts';
import { defaultConfig } from './config.ts';
import { changesCredentials, keepCredentials, keptCredentials, readCredentialsFile, s3Options } from './machine/s3-option.ts';
import { instancePaths } from './paths.ts';
import { createRemoteObjects } from './remote-objects.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-remote-'));
const clock = realClock();
let gateway: Gateway;
let objects: Objects;
let endpoint = '';
let credentials = { accessKeyId: '', secretAccessKey: '' };

before(async () => {
  const deps = { clock, random: realRandom(), log: createLog(clock, () => {}, 'error') };
  objects = await openObjects(deps, { dir: join(folder, 'objects') });
  const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
  credentials = keys.root;
  gateway = createGateway({ ...deps, apis: [createS3Api({ objects, clock })], keys, authorize: authorizeRoot, version: '1' });
  endpoint = `http://127.0.0.1:${await gateway.listen({ host: '127.0.0.1', port: 0 })}`;
  const s3 = new S3Client({ region: 'eu-west-1', endpoint, credentials, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'far', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }));
  await s3.send(new PutObjectCommand({ Bucket: 'far', Key: "dir/a b+ü!'().env", Body: 'A=1' }));
  s3.destroy();
});
after(async () => {
  await gateway?.close();
  await objects?.close();
  rmSync(folder, { recursive: true, force: true });
});

const failure = (name: string) => (error: unknown) => {
  assert.ok(isFault(error), String(error));
  assert.equal(error.details['errorName'] ?? error.code, name);
  return true;
};

describe('an S3 endpoint of the user’s', () => {
  it('is asked with signed requests, and answers in its own words', async () => {
    const remote = createRemoteObjects(clock, { endpoint, region: 'eu-west-1', credentials });
    assert.equal((await remote.get('far', "dir/a b+ü!'().env", 100)).toString(), 'A=1');
    await assert.rejects(remote.get('far', 'none.env', 100), failure('NoSuchKey'));
    await assert.rejects(remote.get('far', "dir/a b+ü!'().env", 2), failure('EntityTooLarge'));
    const forged = createRemoteObjects(clock, { endpoint, region: 'eu-west-1', credentials: { ...credentials, secretAccessKey: 'x' } });
    await assert.rejects(forged.get('far', 'x.env', 100), failure('SignatureDoesNotMatch'));
    const nobody = createRemoteObjects(clock, { endpoint, region: 'eu-west-1', credentials: null });
    await assert.rejects(nobody.get('far', 'x.env', 100), failure('AccessDenied'));
    const nowhere = createRemoteObjects(clock, { endpoint: 'http://127.0.0.1:1', region: 'eu-west-1', credentials });
    await assert.rejects(nowhere.get('far', 'x.env', 100), failure('Unavailable'));
  });

  it('is named with its keys in a file as the AWS tools keep it, which the control plane alone may read then', () => {
    const paths = { ...instancePaths(folder), s3Credentials: join(folder, 's3-credentials.json') };
    const file = join(folder, 'credentials');
    writeFileSync(
      file,
      '[other]\naws_access_key_id = O\naws_secret_access_key = o\n[default]\naws_access_key_id=AK\n aws_secret_access_key = s/e=c+ret\n',
    );
    assert.deepEqual(readCredentialsFile(file), { accessKeyId: 'AK', secretAccessKey: 's/e=c+ret' });
    const options = { s3Endpoint: 'https://s3.example.org', s3Credentials: file };
    const config = { ...defaultConfig(folder), ...s3Options(defaultConfig(folder), options) };
    assert.deepEqual([config.s3Endpoint, config.s3Region], ['https://s3.example.org', 'us-east-1']);
    assert.equal(changesCredentials(paths, options), true);
    keepCredentials(paths, config, options, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
    assert.equal(statSync(paths.s3Credentials).mode & 0o777, 0o600);
    assert.deepEqual([keptCredentials(paths), changesCredentials(paths, options)], [readCredentialsFile(file), false]);
    assert.ok(!JSON.stringify(config).includes('s/e=c+ret'));
    keepCredentials(paths, defaultConfig(folder), {}, { uid: 0, gid: 0 });
    assert.equal(keptCredentials(paths), null);
    assert.throws(() => s3Options(defaultConfig(folder), { s3Endpoint: 'ftp://x' }), /no http/);
    assert.throws(() => s3Options(defaultConfig(folder), { s3Region: 'x' }), /need an endpoint/);
    writeFileSync(file, 'aws_secret_access_key = hidden\n');
    assert.throws(
      () => readCredentialsFile(file),
      (error: Error) => !error.message.includes('hidden') && /aws_access_key_id/.test(error.message),
    );
    assert.ok(readFileSync(file, 'utf8').includes('hidden'));
  });
});
