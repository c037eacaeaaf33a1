/** Unmodified Terraform with the AWS provider 5.x: applies, finds nothing to change, destroys and leaves nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DescribeInternetGatewaysCommand, DescribeRouteTablesCommand, DescribeSecurityGroupsCommand } from '@aws-sdk/client-ec2';
import { DescribeSubnetsCommand, DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import { createSdk, script } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { freeRange } from './free-range.ts';
import { importBusybox } from './images.ts';
import { startPlatform } from './platform.ts';
import type { Platform } from './platform.ts';
import { startTerraform, whyNoTerraform } from './terraform.ts';
import type { Terraform } from './terraform.ts';

const why = whyNoTerraform();

describe('Terraform', { skip: why ?? false }, () => {
  let platform: Platform;
  let sdk: Sdk;
  const folders: Terraform[] = [];
  const start = async (configuration: string) => {
    const terraform = await startTerraform(platform, configuration);
    folders.push(terraform);
    return terraform;
  };

  before(async () => {
    platform = await startPlatform();
    sdk = createSdk(platform);
    await importBusybox(platform);
  });
  after(async () => {
    sdk?.close();
    for (const folder of folders) await folder.remove();
    await platform?.end();
  });

  /** How many of each the default VPC's region has. */
  const census = async () => ({
    vpcs: (await sdk.ec2.send(new DescribeVpcsCommand({}))).Vpcs?.length,
    subnets: (await sdk.ec2.send(new DescribeSubnetsCommand({}))).Subnets?.length,
    groups: (await sdk.ec2.send(new DescribeSecurityGroupsCommand({}))).SecurityGroups?.length,
    tables: (await sdk.ec2.send(new DescribeRouteTablesCommand({}))).RouteTables?.length,
    gateways: (await sdk.ec2.send(new DescribeInternetGatewaysCommand({}))).InternetGateways?.length,
  });

  it('keeps a VPC with all that belongs to one, and tasks run in it', async () => {
    const empty = await census();
    const range = await freeRange(sdk);
    const terraform = await start('network');
    const variables = { range, office: '100.68.0.0/18' };
    await terraform.apply(variables);
    assert.equal(await terraform.pending(variables), '');
    type Outputs = { vpc: string; subnets: string[]; groups: string[]; read: object };
    const { subnets, groups, read } = await terraform.outputs<Outputs>();
    const zones = ['us-east-1a', 'us-east-1b', 'us-east-1c'];
    assert.deepEqual(read, { range, zones, group: 'default', account: '123456789012' });

    const arn = await sdk.register('in-a-vpc', [script("trap 'exit 0' TERM; while :; do sleep 0.1; done")]);
    const network = { awsvpcConfiguration: { subnets: [subnets[1] ?? ''], securityGroups: groups } };
    const [task] = await sdk.running(await sdk.run(arn, { networkConfiguration: network }));
    const details = Object.fromEntries((task?.attachments?.[0]?.details ?? []).map(({ name, value }) => [name, value]));
    assert.equal(details['subnetId'], subnets[1]);
    const inside = range.replace('.0.0/16', '.16.');
    assert.ok(details['privateIPv4Address']?.startsWith(inside), `${details['privateIPv4Address']} is in ${inside}0/20`);
    await sdk.stop([task!]);
    await sdk.stopped([task!]);

    const moved = { ...variables, office: '100.64.0.0/18' };
    await terraform.apply(moved);
    assert.equal(await terraform.pending(moved), '');
    await terraform.destroy(moved);
    assert.deepEqual(await census(), empty);
  });
});
