/** Unmodified Terraform makes rules, targets, webhooks and schedules, finds nothing to change, and leaves nothing. Not run with the others for its time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openFixture } from '../e2e/fixture.ts';
import { startTerraform, whyNoTerraform } from '../e2e/terraform.ts';

const why = whyNoTerraform();

describe('Terraform and events', { skip: why ?? false }, () => {
  it('applies, plans nothing, destroys', async () => {
    const { platform, sdk, ending } = await openFixture({ busybox: false });
    try {
      await sdk.subnets();
      const terraform = await startTerraform(platform, 'events');
      ending.defer(() => terraform.remove());
      await terraform.apply();
      assert.equal(await terraform.pending(), '');
      await terraform.destroy();
      assert.equal((await platform.command('aws', ['events', 'list-rules', '--query', 'length(Rules)'], {})).stdout.trim(), '0');
    } finally {
      await ending.disposeAsync();
    }
  });
});
