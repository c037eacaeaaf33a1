/** Unmodified Terraform with the AWS provider 5.x: applies, finds nothing to change, destroys and leaves nothing. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeInternetGatewaysCommand, DescribeRouteTablesCommand, DescribeSecurityGroupsCommand } from '@aws-sdk/client-ec2';
import { DescribeNetworkInterfacesCommand, DescribeSubnetsCommand, DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import { DescribeServicesCommand } from '@aws-sdk/client-ecs';
import { IAMClient, ListInstanceProfilesCommand, ListPoliciesCommand, ListRolesCommand, ListUsersCommand } from '@aws-sdk/client-iam';
import { script } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { openFixture } from './fixture.ts';
import { freeRange } from './free-range.ts';
import type { Platform } from './platform.ts';
import { startTerraform, whyNoTerraform } from './terraform.ts';
import type { Terraform } from './terraform.ts';

const why = whyNoTerraform();

describe('Terraform', { skip: why ?? false }, () => {
  let platform: Platform;
  let sdk: Sdk;
  let ending: AsyncDisposableStack | undefined;
  const folders: Terraform[] = [];
  const start = async (configuration: string) => {
    const terraform = await startTerraform(platform, configuration);
    folders.push(terraform);
    return terraform;
  };

  before(async () => {
    ({ platform, sdk, ending } = await openFixture());
    ending.defer(async () => {
      for (const folder of folders) await folder.remove();
    });
    // Those of the default VPC, for tasks that are told no other.
    await sdk.subnets();
  });
  after(() => ending?.disposeAsync());

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

  it('keeps a service behind a load balancer: its URL answers, an update rolls out, nothing is left', async () => {
    const empty = await census();
    const terraform = await start('service');
    await terraform.apply({ answer: 'one' });
    assert.equal(await terraform.pending({ answer: 'one' }), '');
    type Outputs = { dns_name: string; task_definition: string };
    const { dns_name: name, task_definition: first } = await terraform.outputs<Outputs>();
    const address = await addressOfBalancer();
    assert.deepEqual(await ask(address, '/'), { status: 200, body: 'one' });
    assert.deepEqual(await ask(address, '/elsewhere'), { status: 404, body: 'no such shop' });
    // Tasks find it by its name.
    const inside = await sdk.toEnd('ask', [script(`timeout 10 wget -qO- http://${name}/`)]);
    assert.deepEqual(inside.printed['main'], ['one']);

    await using asking = askAllTheTime(address);
    await terraform.apply({ answer: 'two' });
    // Steady means rolled out: what comes next may rely on it.
    const { services: steady } = await sdk.ecs.send(new DescribeServicesCommand({ cluster: 'shop', services: ['shop'] }));
    const running = steady?.[0]?.deployments?.map((one) => [one.status, one.runningCount, one.desiredCount]);
    assert.deepEqual(running, [['PRIMARY', 2, 2]]);
    const { answers, failed } = await asking.stop();
    assert.deepEqual(failed, []);
    assert.deepEqual([...new Set(answers)].toSorted(), ['one', 'two']);
    assert.equal(await terraform.pending({ answer: 'two' }), '');
    assert.deepEqual(await ask(address, '/'), { status: 200, body: 'two' });
    assert.notEqual((await terraform.outputs<Outputs>()).task_definition, first);

    await terraform.destroy({ answer: 'two' });
    assert.deepEqual(await census(), empty);
    const { NetworkInterfaces } = await sdk.ec2.send(new DescribeNetworkInterfacesCommand({}));
    assert.deepEqual(NetworkInterfaces, []);
    const { services } = await sdk.ecs.send(new DescribeServicesCommand({ cluster: 'shop', services: ['shop'] })).catch(() => ({ services: [] })); // prettier-ignore
    assert.deepEqual(
      services?.filter((service) => service.status === 'ACTIVE'),
      [],
    );
    const { logGroups } = await sdk.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/terraform/' }));
    assert.deepEqual(logGroups, []);
    assert.deepEqual(await identities(), { roles: [], users: [], policies: [], profiles: [] });
  });

  /** What IAM has of the account's own. */
  async function identities() {
    const iam = new IAMClient(sdk.config);
    try {
      const roles = (await iam.send(new ListRolesCommand({}))).Roles;
      const users = (await iam.send(new ListUsersCommand({}))).Users;
      const policies = (await iam.send(new ListPoliciesCommand({ Scope: 'Local' }))).Policies;
      return { roles, users, policies, profiles: (await iam.send(new ListInstanceProfilesCommand({}))).InstanceProfiles };
    } finally {
      iam.destroy();
    }
  }

  /** Of the only load balancer there is. */
  async function addressOfBalancer(): Promise<string> {
    const { NetworkInterfaces = [] } = await sdk.ec2.send(new DescribeNetworkInterfacesCommand({}));
    const found = NetworkInterfaces.filter((one) => one.Description?.startsWith('ELB '));
    assert.equal(found.length, 1);
    return found[0]?.PrivateIpAddress ?? '';
  }
});

type Heard = { status: number | undefined; body: string };

function ask(host: string, path: string): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port: 80, path, timeout: 20_000, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, body: body.trim() })).on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 20 s'))).on('error', reject).end(); // prettier-ignore
  });
}

/** One request after the other until it is told to stop, or whoever began it is through, failed or not. */
function askAllTheTime(host: string): { stop(): Promise<{ answers: string[]; failed: string[] }> } & AsyncDisposable {
  const answers: string[] = [];
  const failed: string[] = [];
  let going = true;
  const done = (async () => {
    while (going) {
      const heard = await ask(host, '/').catch((error: Error) => ({ status: 0, body: error.message }));
      if (heard.status === 200) answers.push(heard.body);
      else failed.push(`${heard.status} ${heard.body}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const stop = async () => {
    going = false;
    await done;
    return { answers, failed };
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}
