/** VPCs that a caller makes: tasks run in them, reach one another, and a range is free again once its VPC is gone. */
import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { CreateVpcCommand, DescribeVpcsCommand, EC2 } from '@aws-sdk/client-ec2';
import type { RunTaskCommandInput, Task } from '@aws-sdk/client-ecs';
import { containsIp, parseCidr, parseIp } from '#domain/cidr.ts';
import { addressOf, script } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { freeRange } from './free-range.ts';

/** Both look for a range at the same place, at the same moment. */
const place = 41;
const [{ sdk, ending }, sibling] = await Promise.all([platformFixture({ place }), platformFixture({ place })]);
const ec2 = new EC2(sdk.config);
ending.defer(() => ec2.destroy());

// Those of the default VPC, for tasks that are told no other.
before(() => sdk.subnets());
type Place = { vpc: string; subnet: string; range: string; group: string };

/** A VPC with one /24 in its middle, and a security group. */
async function make(cidr: string): Promise<Place> {
  const vpc = (await ec2.createVpc({ CidrBlock: cidr })).Vpc?.VpcId ?? '';
  const range = cidr.replace('.0.0/16', '.77.0/24');
  const subnet = (await ec2.createSubnet({ VpcId: vpc, CidrBlock: range })).Subnet?.SubnetId ?? '';
  const group = (await ec2.createSecurityGroup({ VpcId: vpc, GroupName: 'tasks', Description: 'of a test' })).GroupId ?? '';
  return { vpc, subnet, range, group };
}

async function remove({ vpc, subnet, group }: Place): Promise<void> {
  await ec2.deleteSubnet({ SubnetId: subnet });
  await ec2.deleteSecurityGroup({ GroupId: group });
  await ec2.deleteVpc({ VpcId: vpc });
}

const runIn = async (place: Place, definition: string): Promise<Task> => {
  const network = { awsvpcConfiguration: { subnets: [place.subnet], securityGroups: [place.group] } };
  const [task] = await sdk.running(await sdk.run(definition, { networkConfiguration: network }));
  assert.ok(task);
  return task;
};

const isInside = (task: Task, place: Place) => containsIp(parseCidr(place.range), parseIp(addressOf(task)));

it('berths that were started at the same moment have ranges of their own, and each runs a task', async () => {
  const both = [sdk, sibling.sdk];
  const ranges = await Promise.all(
    both.map(async (one) => (await one.ec2.send(new DescribeVpcsCommand({}))).Vpcs?.map((vpc) => vpc.CidrBlock ?? '')),
  );
  assert.deepEqual([ranges[0]?.length, ranges[1]?.length, new Set(ranges.flat()).size], [1, 1, 2], JSON.stringify(ranges));
  const ended = await Promise.all(both.map((one) => one.toEnd('beside', [script('echo here')])));
  assert.deepEqual(
    ended.map(({ printed }) => printed['main']),
    [['here'], ['here']],
    JSON.stringify(ended.map(({ task }) => task.stoppedReason)),
  );
  // What one has the other may not be given, whether a task is there or not.
  const taken = await freeRange(sibling.sdk);
  const place = await make(taken);
  await assert.rejects(sibling.sdk.ec2.send(new CreateVpcCommand({ CidrBlock: taken.replace('.0.0/16', '.8.0/24') })), {
    name: 'InvalidVpc.Range',
    message: /which the berth of .* on this machine has/,
  });
  await remove(place);
});

it('a task runs in the subnet of a new VPC, which is gone with it, and its range is free again', async () => {
  const serve = "mkdir /w; echo hello > /w/index.html; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait";
  const server = await sdk.register('server', [script(serve)]);
  const cidr = await freeRange(sdk);
  const place = await make(cidr);
  const task = await runIn(place, server);
  assert.ok(isInside(task, place), `${addressOf(task)} is in ${place.range}`);
  const { NetworkInterfaces } = await ec2.describeNetworkInterfaces({ Filters: [{ Name: 'subnet-id', Values: [place.subnet] }] });
  assert.deepEqual(NetworkInterfaces?.map((one) => [one.PrivateIpAddress, one.VpcId]), [[addressOf(task), place.vpc]]); // prettier-ignore

  // A neighbour finds it, in the new VPC and nowhere else.
  const ask = await sdk.register('ask', [script(`timeout 5 wget -qO- http://${addressOf(task)}/; echo "exit $?"`)]);
  const network = { awsvpcConfiguration: { subnets: [place.subnet] } };
  assert.match(await said(ask, network), /hello\nexit 0/);
  assert.match(await said(ask, undefined), /exit [1-9]/);

  await assert.rejects(ec2.deleteSubnet({ SubnetId: place.subnet }), { name: 'DependencyViolation' });
  await assert.rejects(ec2.deleteSecurityGroup({ GroupId: place.group }), { name: 'DependencyViolation' });
  await assert.rejects(ec2.createVpc({ CidrBlock: cidr }), { name: 'InvalidVpc.Range' });
  await sdk.stop([task]);
  await sdk.stopped([task]);
  await remove(place);

  const again = await make(cidr);
  assert.notEqual(again.vpc, place.vpc);
  const second = await runIn(again, server);
  assert.ok(isInside(second, again));
  await sdk.stop([second]);
  await sdk.stopped([second]);
  await remove(again);
});

/** What a task prints that runs to its end. */
async function said(definition: string, network: RunTaskCommandInput['networkConfiguration']): Promise<string> {
  const tasks = await sdk.stopped(await sdk.run(definition, network === undefined ? {} : { networkConfiguration: network }));
  return (await sdk.lines(tasks[0] ?? '', 'main')).join('\n');
}
