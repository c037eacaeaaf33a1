/**
 * What secrets outlive and what they cost: a master key that is replaced while the control plane is killed, a container that is started again after all of berth
 * was killed, a private registry, Splunk with a token out of a parameter, and Terraform.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { SSM } from '@aws-sdk/client-ssm';
import { script, taskId } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { busyboxArchive } from '../e2e/images.ts';
import { installPackages } from '../e2e/packages.ts';
import { tracesOf } from '../e2e/planted.ts';
import { until } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';
import { startTerraform, whyNoTerraform } from '../e2e/terraform.ts';
import { registryUser, startRegistry } from '../image/registries.ts';

const PARAMETERS = Number(process.env['BERTH_SECRET_PARAMETERS'] ?? 2000);
const ROTATIONS = Number(process.env['BERTH_SECRET_ROTATIONS'] ?? 10);
const kinds = ['container', 'gvisor', 'microvm'] as const;
const planted = 'planted-in-a-soak-93ab71';
const digest = createHash('md5').update(planted).digest('hex');

const { platform, sdk, dir, ending } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 20 });
const manager = new SecretsManager(sdk.config);
const ssm = new SSM(sdk.config);
ending.defer(() => [manager, ssm].forEach((client) => client.destroy()));
const role = { executionRoleArn: 'arn:aws:iam::123456789012:role/execution' };
const nowhere = () => assert.deepEqual(tracesOf(platform, [planted]), []);

before(async () => void (await ssm.putParameter({ Name: '/planted', Value: planted, Type: 'SecureString' })));

async function kill9(name: 'control' | 'host' | 'worker'): Promise<void> {
  const victim = (await until('all processes', async () => processesOf(platform)))[name];
  process.kill(victim, 'SIGKILL');
  await until(`a new ${name}`, async () => {
    const now = processesOf(platform);
    return now !== undefined && now[name] !== victim;
  });
}

it('a container is started again by its policy with the value that it began with, after all of berth was killed, in each kind', async () => {
  const text = 'echo "has $(printf %s "$VALUE" | md5sum | cut -d" " -f1)"; sleep 65; exit 1';
  const restartPolicy = { enabled: true, restartAttemptPeriod: 60 };
  const secrets = [{ name: 'VALUE', valueFrom: '/planted' }];
  const definition = await sdk.register('again', [script(text, { restartPolicy, secrets })], role);
  const tasks = (await Promise.all(kinds.map((value) => sdk.run(definition, { tags: [{ key: 'berth:isolation', value }] })))).flat();
  await sdk.running(tasks, 120);
  for (const name of ['host', 'worker', 'control'] as const) await kill9(name);
  // A new value reaches only new tasks.
  await ssm.putParameter({ Name: '/planted', Value: 'another', Overwrite: true });
  for (const task of tasks) {
    await until('it ran twice', async () => (await sdk.lines(task, 'main').catch(() => [])).length >= 2, 150_000);
    assert.deepEqual((await sdk.lines(task, 'main')).slice(0, 2), [`has ${digest}`, `has ${digest}`]);
  }
  nowhere();
  await sdk.stop(tasks);
  await sdk.stopped(tasks);
  nowhere();
  await ssm.putParameter({ Name: '/planted', Value: planted, Overwrite: true });
});

it(`${ROTATIONS} new master keys over ${PARAMETERS} parameters, the control plane killed in the middle of each`, async () => {
  const names = Array.from({ length: PARAMETERS }, (_, at) => `/many/${at}`);
  for (let at = 0; at < names.length; at += 50) {
    const part = names.slice(at, at + 50);
    await Promise.all(part.map((Name) => ssm.putParameter({ Name, Value: `value of ${Name}`, Type: 'SecureString' })));
  }
  for (let round = 0; round < ROTATIONS; round++) {
    const rotated = platform.berth(['vault', 'rotate']);
    await sleep(round * 15);
    await kill9('control');
    await rotated;
    await until('the API', () => ssm.describeParameters({ MaxResults: 1 }).catch(() => undefined));
    const some = names.filter((_, at) => at % 97 === round % 97);
    for (const Name of some) {
      const { Parameter } = await ssm.getParameter({ Name, WithDecryption: true });
      assert.equal(Parameter?.Value, `value of ${Name}`);
    }
  }
  await platform.ok(['vault', 'rotate'], { timeoutMs: 120_000 });
  const keys = JSON.parse(await platform.ok(['vault', 'ls', '--json'])) as { retiredAt: number | null; inUse: boolean }[];
  assert.deepEqual(keys.filter((key) => key.inUse).map((key) => key.retiredAt), [null]); // prettier-ignore
  for (const Name of names) assert.equal((await ssm.getParameter({ Name, WithDecryption: true })).Parameter?.Value, `value of ${Name}`);
});

it('a private image is pulled with the credentials that its definition names', async () => {
  installPackages({ '/usr/bin/skopeo': 'skopeo', '/usr/bin/docker-registry': 'docker-registry' });
  const registry = await startRegistry(dir, { basicAuth: true });
  ending.defer(() => registry.close());
  const image = `${registry.host}/team/private:1`;
  const { username, password } = registryUser;
  const words = ['copy', '-q', '--insecure-policy', '--tmpdir', dir, '--dest-tls-verify=false', '--dest-creds', `${username}:${password}`];
  const copied = await platform.command('skopeo', [...words, `oci-archive:${await busyboxArchive()}`, `docker://${image}`]);
  assert.equal(copied.code, 0, copied.stderr);
  const run = async (SecretString: string) => {
    const Name = `registry-${SecretString.length}`;
    const { ARN = '' } = await manager.createSecret({ Name, SecretString });
    const repositoryCredentials = { credentialsParameter: ARN };
    const definition = await sdk.register('private', [script('echo pulled', { image, repositoryCredentials })], role);
    return (await sdk.stopped(await sdk.run(definition)))[0];
  };
  const refused = await run('{"username":"berth","password":"wrong"}');
  assert.match(refused?.stoppedReason ?? '', /^CannotPullContainerError/);
  const unreadable = await run('nothing');
  assert.match(unreadable?.stoppedReason ?? '', /^ResourceInitializationError: unable to pull secrets or registry auth: .*no JSON object with a username/); // prettier-ignore
  const pulled = await run(JSON.stringify(registryUser));
  assert.equal(pulled?.containers?.[0]?.exitCode, 0, String(pulled?.stoppedReason));
  assert.deepEqual(tracesOf(platform, [password]), []);
});

it('Splunk gets its token out of a parameter, also after a new host agent', async () => {
  const tokens: string[] = [];
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      tokens.push(request.headers.authorization ?? '');
      response.end('{"text":"Success","code":0}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const options = { 'splunk-url': `http://127.0.0.1:${port}` };
  const logConfiguration = { logDriver: 'splunk' as const, options, secretOptions: [{ name: 'splunk-token', valueFrom: '/planted' }] };
  const definition = await sdk.register('splunk', [script('while :; do echo x; sleep 0.2; done', { logConfiguration })], role);
  const [task] = await sdk.running(await sdk.run(definition));
  await until('the collector has some', async () => tokens.length > 0);
  await kill9('host');
  const before = tokens.length;
  await until('the new agent sends', async () => tokens.length > before + 2, 60_000);
  assert.deepEqual([...new Set(tokens)], [`Splunk ${planted}`]);
  nowhere();
  await sdk.stop([task!]);
  await sdk.stopped([task!]);
  assert.equal(taskId(task!).length, 32);
});

it(
  'Terraform makes secrets and parameters, finds nothing to change, changes a value, and leaves nothing',
  { skip: whyNoTerraform() ?? false },
  async () => {
    const terraform = await startTerraform(platform, 'secrets');
    ending.defer(() => terraform.remove());
    for (const password of ['first-of-two', 'second-of-two']) {
      await terraform.apply({ password });
      assert.equal(await terraform.pending({ password }), '');
      assert.deepEqual(await terraform.outputs(), { read: `ann ${password}` });
    }
    const { VersionIdsToStages = {} } = await manager.describeSecret({ SecretId: 'tf/db' });
    assert.deepEqual(Object.values(VersionIdsToStages).flat().toSorted(), ['AWSCURRENT', 'AWSPREVIOUS']);
    await terraform.destroy({ password: 'second-of-two' });
    const left = await manager.listSecrets({ IncludePlannedDeletion: true, Filters: [{ Key: 'name', Values: ['tf/'] }] });
    const { Parameters } = await ssm.getParametersByPath({ Path: '/tf', Recursive: true });
    assert.deepEqual([left.SecretList, Parameters], [[], []]);
  },
);
