import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { EC2 } from '@aws-sdk/client-ec2';
import { startEc2, type Ec2Bench } from './testing.ts';

let bench: Ec2Bench;
let ec2: EC2;

before(async () => {
  bench = await startEc2(['192.168.7.0/24', '0.0.0.0/0']);
  ec2 = bench.ec2;
});
after(() => bench.close());

const tagged = (ResourceType: 'vpc' | 'subnet' | 'security-group' | 'security-group-rule' | 'route-table', Name: string) => [
  { ResourceType, Tags: [{ Key: 'Name', Value: Name }] },
];
async function makeVpc(CidrBlock: string): Promise<string> {
  return (await ec2.createVpc({ CidrBlock })).Vpc!.VpcId!;
}
async function makeGroup(VpcId: string, GroupName = 'web'): Promise<string> {
  return (await ec2.createSecurityGroup({ VpcId, GroupName, Description: 'of a test' })).GroupId!;
}

it('makes a VPC with its parts, reads it back, and deletes it with them', async () => {
  const { Vpc } = await ec2.createVpc({ CidrBlock: '10.50.3.9/16', TagSpecifications: tagged('vpc', 'main') });
  const VpcId = Vpc!.VpcId!;
  assert.equal(Vpc!.CidrBlock, '10.50.0.0/16');
  assert.deepEqual((await ec2.describeVpcs({ VpcIds: [VpcId] })).Vpcs, [Vpc]);
  const inVpc = { Filters: [{ Name: 'vpc-id', Values: [VpcId] }] };
  const { RouteTables } = await ec2.describeRouteTables(inVpc);
  assert.deepEqual(
    RouteTables?.map((table) => [table.Associations?.[0]?.Main, table.Routes?.map((route) => route.GatewayId)]),
    [[true, ['local']]],
  );
  const { SecurityGroups } = await ec2.describeSecurityGroups(inVpc);
  assert.deepEqual([SecurityGroups?.length, SecurityGroups?.[0]?.GroupName], [1, 'default']);
  assert.equal((await ec2.describeNetworkAcls(inVpc)).NetworkAcls?.[0]?.IsDefault, true);
  assert.equal((await ec2.describeVpcAttribute({ VpcId, Attribute: 'enableDnsHostnames' })).EnableDnsHostnames?.Value, false);
  await ec2.modifyVpcAttribute({ VpcId, EnableDnsHostnames: { Value: true } });
  assert.equal((await ec2.describeVpcAttribute({ VpcId, Attribute: 'enableDnsHostnames' })).EnableDnsHostnames?.Value, true);
  assert.equal((await ec2.describeVpcAttribute({ VpcId, Attribute: 'enableDnsSupport' })).EnableDnsSupport?.Value, true);
  await assert.rejects(ec2.modifyVpcAttribute({ VpcId, EnableDnsHostnames: { Value: true }, EnableDnsSupport: { Value: true } }), {
    name: 'InvalidParameterCombination',
  });
  await ec2.deleteVpc({ VpcId });
  await assert.rejects(ec2.deleteVpc({ VpcId }), { name: 'InvalidVpcID.NotFound', message: `The vpc ID '${VpcId}' does not exist` });
  assert.equal((await ec2.describeSecurityGroups(inVpc)).SecurityGroups?.length, 0);
  assert.equal((await ec2.describeRouteTables(inVpc)).RouteTables?.length, 0);
  assert.equal((await ec2.describeSecurityGroupRules({ Filters: [{ Name: 'group-id', Values: [SecurityGroups![0]!.GroupId!] }] })).SecurityGroupRules?.length, 0); // prettier-ignore
});

it('refuses a range that the machine or another VPC has, and says what is free', async () => {
  const VpcId = await makeVpc('10.60.0.0/16');
  await assert.rejects(ec2.createVpc({ CidrBlock: '10.60.128.0/20' }), (error: Error) => {
    assert.equal(error.name, 'InvalidVpc.Range');
    assert.match(
      error.message,
      new RegExp(`'10.60.128.0/20' overlaps 10.60.0.0/16 of ${VpcId} in us-east-1: .*Free are, among others, 10\\.`),
    );
    return true;
  });
  await assert.rejects(ec2.createVpc({ CidrBlock: '192.168.0.0/16' }), {
    name: 'InvalidVpc.Range',
    message: /overlaps 192.168.7.0\/24, which the machine h itself uses/,
  });
  const elsewhere = bench.clientOf('eu-west-1');
  await assert.rejects(elsewhere.createVpc({ CidrBlock: '10.60.0.0/24' }), { name: 'InvalidVpc.Range' });
  elsewhere.destroy();
  for (const CidrBlock of ['10.0.0.0/8', '10.9.0.0/29', '127.0.0.0/16', '169.254.0.0/16', '224.1.0.0/16']) {
    await assert.rejects(ec2.createVpc({ CidrBlock }), { name: 'InvalidVpc.Range' }, CidrBlock);
  }
  for (const CidrBlock of ['', 'x', '10.0.0/16', '10.0.0.256/16', '10.0.0.0']) {
    await assert.rejects(ec2.createVpc({ CidrBlock }), { name: /InvalidParameterValue|InvalidVpc.Range/ }, CidrBlock);
  }
  await assert.rejects(ec2.createVpc({ CidrBlock: '10.61.0.0/16', InstanceTenancy: 'dedicated' }), { name: 'UnsupportedOperation' });
  await assert.rejects(ec2.createVpc({ CidrBlock: '10.61.0.0/16', AmazonProvidedIpv6CidrBlock: true }), { name: 'UnsupportedOperation' });
  await assert.rejects(ec2.createVpc({ CidrBlock: '10.61.0.0/16', DryRun: true }), { name: 'DryRunOperation' });
  await assert.rejects(ec2.createVpc({ CidrBlock: '10.61.0.0/16', TagSpecifications: tagged('subnet', 'x') }), {
    name: 'InvalidParameterValue',
    message: "'subnet' is not a valid taggable resource type for this operation.",
  });
  assert.equal((await ec2.describeVpcs({ Filters: [{ Name: 'cidr', Values: ['10.61.0.0/16'] }] })).Vpcs?.length, 0);
  await ec2.deleteVpc({ VpcId });
});

it('cuts a VPC into subnets', async () => {
  const VpcId = await makeVpc('10.51.0.0/16');
  const { Subnet } = await ec2.createSubnet({
    VpcId,
    CidrBlock: '10.51.1.0/24',
    AvailabilityZone: 'us-east-1b',
    TagSpecifications: tagged('subnet', 'b'),
  });
  const SubnetId = Subnet!.SubnetId!;
  assert.deepEqual((await ec2.describeSubnets({ SubnetIds: [SubnetId] })).Subnets, [Subnet]);
  assert.deepEqual([Subnet!.AvailabilityZoneId, Subnet!.AvailableIpAddressCount, Subnet!.MapPublicIpOnLaunch], ['use1-az2', 251, false]);
  await ec2.modifySubnetAttribute({ SubnetId, MapPublicIpOnLaunch: { Value: true } });
  assert.equal((await ec2.describeSubnets({ SubnetIds: [SubnetId] })).Subnets?.[0]?.MapPublicIpOnLaunch, true);
  await assert.rejects(ec2.createSubnet({ VpcId, CidrBlock: '10.51.1.128/25' }), { name: 'InvalidSubnet.Conflict' });
  await assert.rejects(ec2.createSubnet({ VpcId, CidrBlock: '10.52.1.0/24' }), { name: 'InvalidSubnet.Range' });
  await assert.rejects(ec2.createSubnet({ VpcId, CidrBlock: '10.51.2.0/29' }), { name: 'InvalidSubnet.Range' });
  await assert.rejects(ec2.createSubnet({ VpcId, CidrBlock: '10.51.2.0/24', AvailabilityZone: 'us-east-1z' }), {
    name: 'InvalidParameterValue',
    message: /Value \(us-east-1z\) for parameter availabilityZone is invalid/,
  });
  await assert.rejects(ec2.deleteVpc({ VpcId }), {
    name: 'DependencyViolation',
    message: `The vpc '${VpcId}' has dependencies and cannot be deleted: the subnet ${SubnetId}.`,
  });
  await ec2.deleteSubnet({ SubnetId });
  await ec2.deleteVpc({ VpcId });
});

it('keeps security groups with their rules whole', async () => {
  const VpcId = await makeVpc('10.53.0.0/16');
  const GroupId = await makeGroup(VpcId);
  const other = await makeGroup(VpcId, 'db');
  await assert.rejects(makeGroup(VpcId), { name: 'InvalidGroup.Duplicate' });
  await assert.rejects(makeGroup(VpcId, 'default'), { name: 'InvalidGroup.Reserved' });
  const IpPermissions = [
    {
      IpProtocol: '6',
      FromPort: 80,
      ToPort: 443,
      IpRanges: [{ CidrIp: '100.68.0.18/18', Description: 'office' }],
      Ipv6Ranges: [{ CidrIpv6: '2001:DB8:0:0::1/32' }],
      UserIdGroupPairs: [{ GroupId: other }],
    },
    { IpProtocol: 'icmp', FromPort: 8, ToPort: -1, IpRanges: [{ CidrIp: '0.0.0.0/0' }] },
  ];
  const made = await ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions, TagSpecifications: tagged('security-group-rule', 'r') });
  assert.equal(made.SecurityGroupRules?.length, 4);
  const ids = made.SecurityGroupRules!.map((rule) => rule.SecurityGroupRuleId!);
  const byId = (rules: { SecurityGroupRuleId?: string | undefined }[] | undefined) => rules?.toSorted((a, b) => (a.SecurityGroupRuleId! < b.SecurityGroupRuleId! ? -1 : 1)); // prettier-ignore
  const read = await ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: ids });
  assert.deepEqual(byId(read.SecurityGroupRules), byId(made.SecurityGroupRules));
  const shown = (await ec2.describeSecurityGroups({ GroupIds: [GroupId] })).SecurityGroups![0]!;
  const tcp = shown.IpPermissions!.find((permission) => permission.IpProtocol === 'tcp');
  assert.deepEqual(tcp, {
    IpProtocol: 'tcp',
    FromPort: 80,
    ToPort: 443,
    IpRanges: [{ CidrIp: '100.68.0.0/18', Description: 'office' }],
    Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }],
    UserIdGroupPairs: [{ GroupId: other, UserId: '123456789012' }],
    PrefixListIds: [],
  });
  assert.deepEqual(shown.IpPermissionsEgress?.map((permission) => [permission.IpProtocol, permission.IpRanges?.[0]?.CidrIp]), [['-1', '0.0.0.0/0']]); // prettier-ignore
  await assert.rejects(ec2.authorizeSecurityGroupIngress({ GroupId, IpPermissions: IpPermissions.toReversed() }), {
    name: 'InvalidPermission.Duplicate',
    message: 'the specified rule "peer: 0.0.0.0/0, ICMP, type: 8, code: -1, ALLOW" already exists',
  });
  await assert.rejects(ec2.authorizeSecurityGroupEgress({ GroupId, IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }] }), {
    name: 'InvalidPermission.Duplicate',
    message: 'the specified rule "peer: 0.0.0.0/0, ALL, ALLOW" already exists',
  }); // prettier-ignore
  await assert.rejects(ec2.deleteSecurityGroup({ GroupId: other }), { name: 'DependencyViolation', message: new RegExp(`^resource ${other} has a dependent object`) }); // prettier-ignore
  await assert.rejects(ec2.deleteVpc({ VpcId }), { name: 'DependencyViolation' });
  const named = made.SecurityGroupRules!.find((rule) => rule.ReferencedGroupInfo !== undefined)!.SecurityGroupRuleId!;
  const SecurityGroupRule = { IpProtocol: 'udp', FromPort: 53, ToPort: 53, CidrIpv4: '10.0.0.0/8', Description: 'dns' };
  await ec2.modifySecurityGroupRules({ GroupId, SecurityGroupRules: [{ SecurityGroupRuleId: named, SecurityGroupRule }] });
  const changed = (await ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [named] })).SecurityGroupRules![0]!;
  assert.deepEqual([changed.IpProtocol, changed.FromPort, changed.CidrIpv4, changed.Description, changed.Tags?.[0]?.Value], ['udp', 53, '10.0.0.0/8', 'dns', 'r']); // prettier-ignore
  await ec2.updateSecurityGroupRuleDescriptionsIngress({ GroupId, SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId: named, Description: 'names' }] }); // prettier-ignore
  assert.equal((await ec2.describeSecurityGroupRules({ SecurityGroupRuleIds: [named] })).SecurityGroupRules![0]!.Description, 'names');
  await ec2.revokeSecurityGroupIngress({ GroupId, IpPermissions: [{ IpProtocol: 'tcp', FromPort: 80, ToPort: 443, IpRanges: [{ CidrIp: '100.68.0.0/18' }] }] }); // prettier-ignore
  await assert.rejects(ec2.revokeSecurityGroupIngress({ GroupId, IpPermissions: [{ IpProtocol: 'tcp', FromPort: 80, ToPort: 443, IpRanges: [{ CidrIp: '100.68.0.0/18' }] }] }), { name: 'InvalidPermission.NotFound' }); // prettier-ignore
  const gone = await ec2.revokeSecurityGroupIngress({ GroupId, SecurityGroupRuleIds: [named] });
  assert.equal(gone.RevokedSecurityGroupRules?.[0]?.CidrIpv4, '10.0.0.0/8');
  await ec2.deleteSecurityGroup({ GroupId: other });
  await ec2.deleteSecurityGroup({ GroupId });
  const { SecurityGroups } = await ec2.describeSecurityGroups({ Filters: [{ Name: 'vpc-id', Values: [VpcId] }] });
  await assert.rejects(ec2.deleteSecurityGroup({ GroupId: SecurityGroups![0]!.GroupId! }), { name: 'CannotDelete' });
  await ec2.deleteVpc({ VpcId });
});

it('has route tables with routes, associations and gateways', async () => {
  const VpcId = await makeVpc('10.54.0.0/16');
  const SubnetId = (await ec2.createSubnet({ VpcId, CidrBlock: '10.54.0.0/20' })).Subnet!.SubnetId!;
  const InternetGatewayId = (await ec2.createInternetGateway({})).InternetGateway!.InternetGatewayId!;
  const RouteTableId = (await ec2.createRouteTable({ VpcId, ClientToken: 'once' })).RouteTable!.RouteTableId!;
  assert.equal((await ec2.createRouteTable({ VpcId, ClientToken: 'once' })).RouteTable!.RouteTableId, RouteTableId);
  const way = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', GatewayId: InternetGatewayId };
  await assert.rejects(ec2.createRoute(way), { name: 'InvalidParameterValue', message: /belong to different networks/ });
  await ec2.attachInternetGateway({ InternetGatewayId, VpcId });
  await assert.rejects(ec2.attachInternetGateway({ InternetGatewayId, VpcId }), { name: 'Resource.AlreadyAssociated' });
  await ec2.createRoute(way);
  await assert.rejects(ec2.createRoute({ ...way, DestinationCidrBlock: '10.54.0.0/16' }), { name: 'InvalidParameterValue' });
  await assert.rejects(ec2.createRoute({ ...way, DestinationCidrBlock: '10.9.0.0/16', NatGatewayId: 'nat-0' }), {
    name: 'UnsupportedOperation',
  });
  const AssociationId = (await ec2.associateRouteTable({ RouteTableId, SubnetId })).AssociationId!;
  const table = async () => (await ec2.describeRouteTables({ RouteTableIds: [RouteTableId] })).RouteTables![0]!;
  assert.deepEqual((await table()).Associations, [{ AssociationState: { State: 'associated' }, Main: false, RouteTableAssociationId: AssociationId, RouteTableId, SubnetId }]); // prettier-ignore
  assert.deepEqual((await table()).Routes?.map((route) => [route.DestinationCidrBlock, route.State]), [['10.54.0.0/16', 'active'], ['0.0.0.0/0', 'active']]); // prettier-ignore
  await assert.rejects(ec2.deleteRouteTable({ RouteTableId }), { name: 'DependencyViolation' });
  await assert.rejects(ec2.deleteInternetGateway({ InternetGatewayId }), { name: 'DependencyViolation' });
  await assert.rejects(ec2.deleteVpc({ VpcId }), { name: 'DependencyViolation' });
  const main = (await ec2.describeRouteTables({ Filters: [{ Name: 'vpc-id', Values: [VpcId] }, { Name: 'association.main', Values: ['true'] }] })).RouteTables![0]!; // prettier-ignore
  const mainAssociation = main.Associations![0]!.RouteTableAssociationId!;
  await assert.rejects(ec2.disassociateRouteTable({ AssociationId: mainAssociation }), { name: 'InvalidParameterValue' });
  const replaced = await ec2.replaceRouteTableAssociation({ AssociationId: mainAssociation, RouteTableId });
  assert.equal(
    (await table()).Associations?.filter((association) => association.Main)[0]?.RouteTableAssociationId,
    replaced.NewAssociationId,
  );
  await ec2.replaceRouteTableAssociation({ AssociationId: replaced.NewAssociationId!, RouteTableId: main.RouteTableId! });
  await ec2.detachInternetGateway({ InternetGatewayId, VpcId });
  assert.equal((await table()).Routes?.[1]?.State, 'blackhole');
  await ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0' });
  await assert.rejects(ec2.deleteRoute({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0' }), { name: 'InvalidRoute.NotFound' });
  await ec2.deleteSubnet({ SubnetId });
  assert.deepEqual((await table()).Associations, []);
  await ec2.deleteRouteTable({ RouteTableId });
  await ec2.deleteInternetGateway({ InternetGatewayId });
  await ec2.deleteVpc({ VpcId });
});

it('tags all of the named resources or none', async () => {
  const VpcId = await makeVpc('10.55.0.0/16');
  const GroupId = await makeGroup(VpcId);
  const Tags = [{ Key: 'team', Value: 'a' }, { Key: 'stage', Value: '' }]; // prettier-ignore
  await ec2.createTags({ Resources: [VpcId, GroupId], Tags });
  const { Tags: found } = await ec2.describeTags({ Filters: [{ Name: 'key', Values: ['team', 'stage'] }] });
  assert.deepEqual(found?.map((tag) => [tag.ResourceType, tag.Key]).toSorted(), [['security-group', 'stage'], ['security-group', 'team'], ['vpc', 'stage'], ['vpc', 'team']]); // prettier-ignore
  await assert.rejects(ec2.createTags({ Resources: [VpcId, `subnet-${'0'.repeat(17)}`], Tags: [{ Key: 'late', Value: 'x' }] }), { name: 'InvalidSubnetID.NotFound' }); // prettier-ignore
  await assert.rejects(ec2.createTags({ Resources: ['eni-1'], Tags }), { name: 'InvalidID' });
  await assert.rejects(ec2.createTags({ Resources: [VpcId], Tags: [{ Key: 'aws:x', Value: '' }] }), { name: 'InvalidParameterValue' });
  await ec2.deleteTags({ Resources: [VpcId], Tags: [{ Key: 'team', Value: 'b' }, { Key: 'stage' }] }); // prettier-ignore
  assert.deepEqual((await ec2.describeVpcs({ VpcIds: [VpcId] })).Vpcs?.[0]?.Tags, [{ Key: 'team', Value: 'a' }]);
  await ec2.deleteTags({ Resources: [VpcId] });
  assert.deepEqual((await ec2.describeVpcs({ VpcIds: [VpcId] })).Vpcs?.[0]?.Tags, []);
  await ec2.deleteSecurityGroup({ GroupId });
  await ec2.deleteVpc({ VpcId });
});
