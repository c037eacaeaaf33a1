import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { type EC2, paginateDescribeSubnets } from '@aws-sdk/client-ec2';
import type { TaskSpec } from '#domain/task-spec.ts';
import { newTaskObserved, type TaskDesired, type TaskKey } from '#domain/task.ts';
import type { Store } from '#store/types.ts';
import { startEc2, testScope, type Ec2Bench } from './testing.ts';

const scope = testScope;
let bench: Ec2Bench;
let store: Store;
let ec2: EC2;
let clientOf: Ec2Bench['clientOf'];

before(async () => {
  bench = await startEc2();
  ({ store, ec2, clientOf } = bench);
});

after(() => bench.close());

async function placeTask(id: string, subnetId: string, vpcId: string, groupId: string, ip: string): Promise<void> {
  const key: TaskKey = { ...scope, cluster: 'default', id };
  const spec: TaskSpec = {
    cpuMillis: 256,
    memoryBytes: 1,
    ephemeralBytes: 1,
    isolation: 'auto',
    platform: { os: 'linux', arch: 'amd64' },
    pidMode: 'container',
    sysctls: {},
    volumes: [],
    containers: [],
  };
  const desired: TaskDesired = {
    status: 'RUNNING',
    createdAt: 0,
    stop: null,
    spec,
    network: { vpcId, subnetId, securityGroupIds: [groupId], publicIp: false },
    family: 'f',
    revision: 1,
    group: 'family:f',
    startedBy: null,
    tags: [
      { key: 'aws:ecs:clusterName', value: 'default' },
      { key: 'own', value: 'x' },
    ],
    launchType: 'FARGATE',
    capacityProvider: null,
    platformVersion: '1.4.0',
    enableExec: false,
    front: {},
    service: null,
    protectedUntil: null,
    injectEndpoint: true,
  };
  await store.write(async (tx) => {
    const { revision } = await tx.tasks.insert(key, desired, newTaskObserved(spec));
    const placement = {
      hostId: 'h',
      fence: 1,
      eniId: `eni-0${id.slice(0, 16)}`,
      attachmentId: `att-${id.slice(0, 4)}`,
      ip,
      mac: '0a:00:00:00:00:01',
      at: 1_763_892_000_000,
    };
    await tx.tasks.setPlacement(key, placement, revision);
  });
}

it('has a default VPC with a subnet in each zone, a group, a route table and a gateway', async () => {
  const { Vpcs } = await ec2.describeVpcs({ Filters: [{ Name: 'is-default', Values: ['true'] }] });
  assert.equal(Vpcs?.length, 1);
  const vpc = Vpcs[0]!;
  assert.equal(vpc.State, 'available');
  const VpcId = vpc.VpcId!;
  const { Subnets } = await ec2.describeSubnets({
    Filters: [
      { Name: 'vpc-id', Values: [VpcId] },
      { Name: 'default-for-az', Values: ['true'] },
    ],
  });
  assert.deepEqual(Subnets?.map((subnet) => subnet.AvailabilityZone).toSorted(), ['us-east-1a', 'us-east-1b', 'us-east-1c']);
  assert.equal(Subnets?.[0]?.AvailableIpAddressCount, 4091);
  const { SecurityGroups } = await ec2.describeSecurityGroups({
    Filters: [
      { Name: 'vpc-id', Values: [VpcId] },
      { Name: 'group-name', Values: ['default'] },
    ],
  });
  assert.equal(SecurityGroups?.[0]?.IpPermissions?.[0]?.UserIdGroupPairs?.[0]?.GroupId, SecurityGroups?.[0]?.GroupId);
  assert.equal((await ec2.describeSecurityGroups({ GroupNames: ['default'] })).SecurityGroups?.length, 1);
  const { RouteTables } = await ec2.describeRouteTables({
    Filters: [
      { Name: 'association.main', Values: ['true'] },
      { Name: 'vpc-id', Values: [VpcId] },
    ],
  });
  const { InternetGateways } = await ec2.describeInternetGateways({ Filters: [{ Name: 'attachment.vpc-id', Values: [VpcId] }] });
  assert.equal(RouteTables?.[0]?.Routes?.[1]?.GatewayId, InternetGateways?.[0]?.InternetGatewayId);
  assert.deepEqual((await ec2.describeVpcAttribute({ VpcId, Attribute: 'enableDnsSupport' })).EnableDnsSupport, { Value: true });
  const { AvailabilityZones } = await ec2.describeAvailabilityZones({});
  assert.deepEqual(
    AvailabilityZones?.map((zone) => [zone.ZoneName, zone.ZoneId]),
    [
      ['us-east-1a', 'use1-az1'],
      ['us-east-1b', 'use1-az2'],
      ['us-east-1c', 'use1-az3'],
    ],
  );
  const attributes = await ec2.describeAccountAttributes({ AttributeNames: ['default-vpc'] });
  assert.equal(attributes.AccountAttributes?.[0]?.AttributeValues?.[0]?.AttributeValue, VpcId);
  const other = clientOf('eu-west-1');
  assert.notEqual((await other.describeVpcs({})).Vpcs?.[0]?.VpcId, VpcId);
  assert.deepEqual(
    (await ec2.describeRegions({})).Regions?.map((region) => region.RegionName),
    ['eu-west-1', 'us-east-1'],
  );
  other.destroy();
});

it('pages, filters with wildcards, and says what does not exist', async () => {
  const ids: string[] = [];
  for await (const page of paginateDescribeSubnets({ client: ec2, pageSize: 5 }, {}))
    ids.push(...page.Subnets!.map((subnet) => subnet.SubnetId!));
  assert.equal(new Set(ids).size, 3);
  const named = await ec2.describeSubnets({
    Filters: [
      { Name: 'availability-zone', Values: ['us-east-1?', 'nope'] },
      { Name: 'availability-zone-id', Values: ['*az2'] },
    ],
  });
  assert.equal(named.Subnets?.length, 1);
  assert.equal((await ec2.describeSubnets({ Filters: [{ Name: 'tag:Name', Values: ['*'] }] })).Subnets?.length, 0);
  assert.equal((await ec2.describeSubnets({ SubnetIds: [ids[1]!] })).Subnets?.[0]?.SubnetId, ids[1]);
  const missing = '0'.repeat(17);
  await assert.rejects(ec2.describeVpcs({ VpcIds: [`vpc-${missing}`] }), {
    name: 'InvalidVpcID.NotFound',
    message: `The vpc ID 'vpc-${missing}' does not exist`,
  });
  await assert.rejects(ec2.describeSubnets({ SubnetIds: [`subnet-${missing}`] }), {
    name: 'InvalidSubnetID.NotFound',
    message: `The subnet ID 'subnet-${missing}' does not exist`,
  });
  await assert.rejects(ec2.describeSecurityGroups({ GroupIds: [`sg-${missing}`] }), {
    name: 'InvalidGroup.NotFound',
    message: `The security group 'sg-${missing}' does not exist`,
  });
  await assert.rejects(ec2.describeNetworkInterfaces({ NetworkInterfaceIds: [`eni-${missing}`] }), {
    name: 'InvalidNetworkInterfaceID.NotFound',
    message: `The networkInterface ID 'eni-${missing}' does not exist`,
  });
  await assert.rejects(ec2.describeVpcs({ VpcIds: ['x'] }), { name: 'InvalidVpcID.Malformed' });
  await assert.rejects(ec2.describeVpcs({ Filters: [{ Name: 'color', Values: ['red'] }] }), {
    name: 'InvalidParameterValue',
    message: "The filter 'color' is invalid",
  });
  await assert.rejects(ec2.describeVpcs({ DryRun: true }), { name: 'DryRunOperation' });
  await assert.rejects(ec2.describeInstances({}), {
    name: 'UnsupportedOperation',
    message: 'berth does not implement ec2:DescribeInstances yet.',
  });
});

it('shows the network interface of a placed task, and counts its address', async () => {
  const subnet = (await ec2.describeSubnets({ Filters: [{ Name: 'availability-zone', Values: ['us-east-1a'] }] })).Subnets![0]!;
  const group = (await ec2.describeSecurityGroups({})).SecurityGroups![0]!;
  await placeTask('0123456789abcdef0123456789abcdef', subnet.SubnetId!, subnet.VpcId!, group.GroupId!, '10.0.0.5');
  const { NetworkInterfaces } = await ec2.describeNetworkInterfaces({ Filters: [{ Name: 'private-ip-address', Values: ['10.0.0.5'] }] });
  const { Attachment, ...shown } = NetworkInterfaces![0]!;
  assert.equal(Attachment?.Status, 'attached');
  assert.equal(Attachment?.AttachTime?.getTime(), 1_763_892_000_000);
  assert.deepEqual(shown, {
    NetworkInterfaceId: 'eni-00123456789abcdef',
    Status: 'in-use',
    InterfaceType: 'interface',
    Description: 'arn:aws:ecs:us-east-1:123456789012:attachment/att-0123',
    SubnetId: subnet.SubnetId,
    VpcId: subnet.VpcId,
    AvailabilityZone: 'us-east-1a',
    AvailabilityZoneId: 'use1-az1',
    MacAddress: '0a:00:00:00:00:01',
    PrivateIpAddress: '10.0.0.5',
    PrivateDnsName: 'ip-10-0-0-5.ec2.internal',
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: '10.0.0.5', PrivateDnsName: 'ip-10-0-0-5.ec2.internal' }],
    Ipv6Addresses: [],
    Groups: [{ GroupId: group.GroupId, GroupName: 'default' }],
    OwnerId: '123456789012',
    RequesterId: 'amazon-ecs',
    RequesterManaged: true,
    SourceDestCheck: true,
    TagSet: [{ Key: 'aws:ecs:clusterName', Value: 'default' }],
  });
  assert.equal((await ec2.describeNetworkInterfaces({ NetworkInterfaceIds: ['eni-00123456789abcdef'] })).NetworkInterfaces?.length, 1);
  const after = await ec2.describeSubnets({ SubnetIds: [subnet.SubnetId!] });
  assert.equal(after.Subnets?.[0]?.AvailableIpAddressCount, subnet.AvailableIpAddressCount! - 1);
});
