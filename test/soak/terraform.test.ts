/** Unmodified Terraform makes what a task leans on, finds nothing to change, and leaves nothing. Not run with the others for its time. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import type { Sdk } from '../e2e/aws-sdk.ts';
import { openFixture } from '../e2e/fixture.ts';
import { busyboxArchive } from '../e2e/images.ts';
import type { Platform } from '../e2e/platform.ts';
import { pushArchive } from '../e2e/push.ts';
import { startTerraform, whyNoTerraform } from '../e2e/terraform.ts';

const why = whyNoTerraform();

describe('Terraform', { skip: why ?? false }, () => {
  let platform: Platform;
  let sdk: Sdk;
  let ending: AsyncDisposableStack | undefined;

  before(async () => {
    ({ platform, sdk, ending } = await openFixture({ busybox: false }));
    await sdk.subnets();
  });
  after(() => ending?.disposeAsync());

  const start = async (configuration: string) => {
    const terraform = await startTerraform(platform, configuration);
    ending?.defer(() => terraform.remove());
    return terraform;
  };
  const told = async (...args: string[]) => (await platform.command('aws', [...args, '--output', 'text'])).stdout.trim();

  it('keeps rules, targets, webhooks and schedules', async () => {
    const terraform = await start('events');
    await terraform.apply();
    assert.equal(await terraform.pending(), '');
    await terraform.destroy();
    assert.equal(await told('events', 'list-rules', '--query', 'length(Rules)'), '0');
  });

  it('keeps an image repository, a bucket, secrets, parameters and a dashboard, which a task of the same configuration starts by', async () => {
    const terraform = await start('stack');
    await terraform.apply({ password: 'a-first-one' });
    assert.equal(await terraform.pending({ password: 'a-first-one' }), '');
    type Outputs = { repository: string; endpoint: string; environment: string; definition: string };
    const { repository, endpoint, environment, definition } = await terraform.outputs<Outputs>();
    assert.deepEqual({ repository, endpoint, environment }, {
      repository: `127.0.0.1:${platform.apiPort}/team/app`,
      endpoint: `http://127.0.0.1:${platform.apiPort}`,
      environment: 'LEVEL=debug\nPASSWORD_HINT=none\n',
    }); // prettier-ignore
    await push('team/app:v1');
    assert.deepEqual(await run(definition), ['debug 5432 ann 11']);

    await terraform.apply({ password: 'another' });
    assert.equal(await terraform.pending({ password: 'another' }), '');
    assert.deepEqual(await run(definition), ['debug 5432 ann 7']);

    await terraform.destroy({ password: 'another' });
    const left = await Promise.all([
      told('ecr', 'describe-repositories', '--query', 'length(repositories)'),
      told('ecr', 'describe-pull-through-cache-rules', '--query', 'length(pullThroughCacheRules)'),
      told('s3api', 'list-buckets', '--query', 'length(Buckets)'),
      told('secretsmanager', 'list-secrets', '--include-planned-deletion', '--query', 'length(SecretList)'),
      told('ssm', 'describe-parameters', '--query', 'length(Parameters)'),
      told('cloudwatch', 'list-dashboards', '--query', 'length(DashboardEntries)'),
      told('iam', 'list-roles', '--query', 'length(Roles)'),
    ]);
    assert.deepEqual(left, left.map(() => '0')); // prettier-ignore
  });

  async function push(name: string): Promise<void> {
    const ecr = new ECR(sdk.config);
    try {
      const { authorizationData } = await ecr.getAuthorizationToken({});
      const authorization = `Basic ${authorizationData?.[0]?.authorizationToken}`;
      await pushArchive(await busyboxArchive(), sdk.config.endpoint, name, authorization);
    } finally {
      ecr.destroy();
    }
  }

  async function run(definition: string): Promise<string[]> {
    const [task] = await sdk.stopped(await sdk.run(definition));
    assert.equal(task?.containers?.[0]?.exitCode, 0, task?.stoppedReason ?? '');
    return sdk.lines(task ?? '', 'main');
  }
});
