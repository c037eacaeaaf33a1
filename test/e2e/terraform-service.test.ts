/** Unmodified Terraform brings a service behind a load balancer, waits for its steady state, deploys, finds nothing to change, and destroys it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DescribeServicesCommand } from '@aws-sdk/client-ecs';
import { createSdk } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { importBusybox } from './images.ts';
import { startPlatform } from './platform.ts';
import type { Platform } from './platform.ts';
import { startTerraform, whyNoTerraform } from './terraform.ts';
import type { Terraform } from './terraform.ts';

const why = whyNoTerraform();

describe('Terraform and a service', { skip: why ?? false }, () => {
  let platform: Platform;
  let sdk: Sdk;
  let terraform: Terraform;

  before(async () => {
    platform = await startPlatform();
    sdk = createSdk(platform);
    await importBusybox(platform);
    terraform = await startTerraform(platform, 'service');
  });
  after(async () => {
    sdk?.close();
    await terraform?.remove();
    await platform?.end();
  });

  const service = async () => {
    const { services } = await sdk.ecs.send(new DescribeServicesCommand({ cluster: 'shop', services: ['shop'] }));
    return services?.[0];
  };

  it('waits for steady states and has nothing to change after them', async () => {
    await terraform.apply({ answer: 'one' });
    const made = await service();
    assert.deepEqual([made?.runningCount, made?.deployments?.length, made?.deployments?.[0]?.rolloutState], [2, 1, 'COMPLETED']);
    assert.equal(await terraform.pending({ answer: 'one' }), '');

    await terraform.apply({ answer: 'two' });
    const changed = await service();
    assert.deepEqual([changed?.deployments?.length, changed?.deployments?.[0]?.rolloutState], [1, 'COMPLETED']);
    assert.notEqual(changed?.deployments?.[0]?.id, made?.deployments?.[0]?.id);
    assert.equal(await terraform.pending({ answer: 'two' }), '');
    await terraform.destroy({ answer: 'two' });
  });
});
