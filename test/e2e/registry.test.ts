/** berth's own registry by clients that people have: the AWS CLI for the password, skopeo for the images, Debian's docker-registry as the outside. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { registryUser, startRegistry } from '../image/registries.ts';
import { AWS } from './aws-forks.ts';
import { script } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { busyboxArchive } from './images.ts';
import { installPackages } from './packages.ts';

const { platform, sdk, dir, ending } = await platformFixture({ busybox: false });
const registry = `127.0.0.1:${platform.apiPort}`;
const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
const [FROM, TO] = ['--src-tls-verify=false', '--dest-tls-verify=false'];
let ecr: ECR;
let archive = '';

const aws = (...args: string[]) => platform.command(AWS, ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', ...args]);
const skopeo = (command: string, ...args: string[]) =>
  platform.command('skopeo', [command, ...(command === 'copy' ? ['-q', '--insecure-policy', '--tmpdir', dir] : []), ...args], { env });

async function ok(command: string, ...args: string[]): Promise<string> {
  const ran = await skopeo(command, ...args);
  assert.equal(ran.code, 0, `skopeo ${command} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

async function refused(why: RegExp, command: string, ...args: string[]): Promise<void> {
  const ran = await skopeo(command, ...args);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, why);
}

const tags = async (repository: string) =>
  (JSON.parse(await ok('list-tags', '--tls-verify=false', `docker://${registry}/${repository}`)) as { Tags: string[] }).Tags;

before(async () => {
  installPackages({ '/usr/bin/skopeo': 'skopeo', '/usr/bin/docker-registry': 'docker-registry' });
  archive = `oci-archive:${await busyboxArchive()}`;
  ecr = new ECR(sdk.config);
  ending.defer(() => ecr.destroy());
  const { stdout } = await aws('ecr', 'get-login-password');
  await ok('login', '--tls-verify=false', '--username', 'AWS', '--password', stdout.trim(), registry);
});

it('takes what is pushed, and gives it back, in every form and with the digest that it had', async () => {
  const image = `docker://${registry}/team/app`;
  await refused(/name unknown: The repository with name 'team\/app' does not exist/, 'copy', TO, archive, `${image}:v1`);
  const made = await aws(
    'ecr',
    'create-repository',
    '--repository-name',
    'team/app',
    '--query',
    'repository.repositoryUri',
    '--output',
    'text',
  );
  assert.equal(made.stdout.trim(), `${registry}/team/app`);
  await ok('copy', TO, archive, `${image}:v1`);
  await ok('copy', TO, '--format', 'v2s2', archive, `${image}:docker`);
  await refused(/manifest unknown: Requested image not found/, 'inspect', '--tls-verify=false', `${image}:none`);
  assert.deepEqual(await tags('team/app'), ['docker', 'v1']);

  await ok('copy', FROM, '--all', `${image}:v1`, `dir:${dir}/v1`);
  await ok('copy', TO, `dir:${dir}/v1`, `${image}:again`);
  const digest = async (tag: string) => (await ok('inspect', '--tls-verify=false', '--format', '{{.Digest}}', `${image}:${tag}`)).trim();
  assert.equal(await digest('again'), await digest('v1'));
  assert.notEqual(await digest('docker'), await digest('v1'));

  await ok('sync', '--src', 'docker', '--dest', 'dir', FROM, `${registry}/team/app`, dir);
  assert.deepEqual(readdirSync(dir).filter((name) => name.startsWith('app:')).toSorted(), ['app:again', 'app:docker', 'app:v1']); // prettier-ignore
  await ok('delete', '--tls-verify=false', `${image}:docker`);
  assert.deepEqual(await tags('team/app'), ['again', 'v1']);
});

it('gives another registry’s images under its own names, to skopeo and to tasks, and says why it can’t', async () => {
  const outside = await startRegistry(dir, { basicAuth: true });
  ending.defer(() => outside.close());
  const { username, password } = registryUser;
  await ok('copy', TO, '--dest-creds', `${username}:${password}`, archive, `docker://${outside.host}/corp/tool:v1`);
  const image = `${registry}/hub/corp/tool:v1`;
  await ecr.createPullThroughCacheRule({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: outside.host });
  await refused(/denied: The authentication to the upstream registry failed/, 'inspect', '--tls-verify=false', `docker://${image}`);
  const manager = new SecretsManager(sdk.config);
  ending.defer(() => manager.destroy());
  const SecretString = JSON.stringify({ username, accessToken: password });
  const { ARN: credentialArn } = await manager.createSecret({ Name: 'ecr-pullthroughcache/outside', SecretString });
  await ecr.updatePullThroughCacheRule({ ecrRepositoryPrefix: 'hub', credentialArn });

  const { task, printed } = await sdk.toEnd('through', [script('echo pulled through', { image })]);
  assert.deepEqual(printed, { main: ['pulled through'] }, task.stoppedReason ?? '');
  await outside.close();
  await ok('copy', FROM, `docker://${image}`, `dir:${dir}/mirrored`);
  await refused(
    /unavailable: the upstream registry .* connection refused/,
    'inspect',
    '--tls-verify=false',
    `docker://${registry}/hub/corp/tool:v2`,
  );
  const definition = await sdk.register('lacking', [script('true', { image: `${registry}/hub/corp/tool:v2` })]);
  const [lacking] = await sdk.stopped(await sdk.run(definition));
  assert.match(
    lacking?.stoppedReason ?? '',
    /^CannotPullContainerError: pull image manifest has been retried \d+ time\(s\): failed to resolve ref .*the upstream registry .* connection refused$/,
  );
});

it('asks for credentials, and takes none that were never given', async () => {
  await ok('logout', registry);
  await refused(/authentication required|unauthorized|no basic auth/, 'inspect', '--tls-verify=false', `docker://${registry}/team/app:v1`);
  await refused(
    /The credentials are not valid/,
    'inspect',
    '--tls-verify=false',
    '--creds',
    'AWS:never',
    `docker://${registry}/team/app:v1`,
  );
});
