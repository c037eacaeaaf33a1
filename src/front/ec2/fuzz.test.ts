/** Bad input to every operation: one of EC2's errors, never one of our own, and nothing changed. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { realClock } from '#base/clock.ts';
import { seededRandom } from '#base/random.ts';
import type { ApiSpec, CallContext } from '#gateway/types.ts';
import { defaultVpcId, ensureRegion } from '#intent/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { ec2Errors } from './errors.ts';
import { createEc2Api } from './index.ts';
import { putHost, testScope } from './testing.ts';
import { isDoneOrRefused, oddNumbers, oddTexts, spoiledCalls } from '../../../test/fuzz/calls.ts';

let store: Store;
let api: ApiSpec;
/** A good input of every operation. */
let good: Record<string, Record<string, unknown>>;

const context: CallContext = {
  ...testScope,
  requestId: 'r',
  principal: { account: testScope.account, arn: 'arn', userId: 'u', accessKeyId: 'k' },
  assertAllowed: async () => {},
  sourceIp: '127.0.0.1',
  userAgent: 'test',
};
const call = (name: string, input: unknown): Promise<any> => {
  const operation = api.operations.find((one) => one.name === name);
  assert.ok(operation, name);
  return operation.handle(input, context);
};

/** All that these operations may write. */
const everything = () =>
  store.read(async (tx) =>
    JSON.stringify([
      await tx.vpcs.list({}),
      await tx.subnets.list({}),
      await tx.securityGroups.list({}),
      await tx.securityGroupRules.list({}),
      await tx.routeTables.list({}),
      await tx.internetGateways.list({}),
      await tx.volumes.list({}),
      await tx.snapshots.list({}),
    ]),
  );

const permissionOf = (GroupId: string, port: number) => ({
  IpProtocol: 'tcp',
  FromPort: port,
  ToPort: port,
  IpRanges: [{ CidrIp: '10.0.0.0/8', Description: 'd' }],
  Ipv6Ranges: [{ CidrIpv6: '2001:db8::/32' }],
  UserIdGroupPairs: [{ GroupId }],
});

/** The same of volumes. */
async function volumeCalls(tagged: (type: string) => object[], filter: (name: string, value: string) => object[]) {
  const VolumeId = (await call('CreateVolume', { AvailabilityZone: 'us-east-1a', Size: 1 })).VolumeId;
  const SnapshotId = (await call('CreateSnapshot', { VolumeId })).SnapshotId;
  await store.write(async (tx) => {
    const volume = (await tx.volumes.get({ ...testScope, id: VolumeId }))!;
    await tx.volumes.setObserved(volume.key, { hostId: 'h', sizeGib: 1, error: null }, volume.revision);
    const snapshot = (await tx.snapshots.get({ ...testScope, id: SnapshotId }))!;
    await tx.snapshots.setObserved(snapshot.key, { ...snapshot.observed, state: 'completed', hostId: 'h' }, snapshot.revision);
  });
  return {
    CreateVolume: { AvailabilityZone: 'us-east-1a', Size: 10, SnapshotId, VolumeType: 'gp3', Iops: 3000, Throughput: 125, TagSpecifications: tagged('volume') }, // prettier-ignore
    DeleteVolume: { VolumeId },
    DescribeVolumes: { VolumeIds: [VolumeId], Filters: filter('status', 'avail*'), MaxResults: 5 },
    DescribeVolumesModifications: { Filters: filter('target-size', '1') },
    ModifyVolume: { VolumeId, Size: 20, VolumeType: 'io1', Iops: 100 },
    AttachVolume: { VolumeId, InstanceId: 'i-1', Device: '/dev/sdf' },
    DetachVolume: { VolumeId },
    CreateSnapshot: { VolumeId, Description: 'd', TagSpecifications: tagged('snapshot') },
    DeleteSnapshot: { SnapshotId },
    DescribeSnapshots: { SnapshotIds: [SnapshotId], OwnerIds: ['self'], Filters: filter('volume-id', VolumeId) },
  };
}

before(async () => {
  store = await createSqliteStore({ path: ':memory:' });
  const deps = { store, clock: realClock(), random: seededRandom(7) };
  await putHost(store, ['192.168.0.0/24']);
  await ensureRegion(deps, testScope);
  api = createEc2Api(deps);
  const VpcId = (await call('CreateVpc', { CidrBlock: '10.70.0.0/16' })).Vpc.VpcId;
  const SubnetId = (await call('CreateSubnet', { VpcId, CidrBlock: '10.70.0.0/24' })).Subnet.SubnetId;
  const GroupId = (await call('CreateSecurityGroup', { VpcId, GroupName: 'g', Description: 'd' })).GroupId;
  const RouteTableId = (await call('CreateRouteTable', { VpcId })).RouteTable.RouteTableId;
  const InternetGatewayId = (await call('CreateInternetGateway', {})).InternetGateway.InternetGatewayId;
  await call('AttachInternetGateway', { InternetGatewayId, VpcId });
  const loose = (await call('CreateInternetGateway', {})).InternetGateway.InternetGatewayId;
  const route = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', GatewayId: InternetGatewayId };
  await call('CreateRoute', route);
  const AssociationId = (await call('AssociateRouteTable', { RouteTableId, SubnetId })).AssociationId;
  const permission = (port: number) => permissionOf(GroupId, port);
  const rules = async (way: string, port: number) =>
    (await call(`AuthorizeSecurityGroup${way}`, { GroupId, IpPermissions: [permission(port)] })).SecurityGroupRules;
  const [ingress, egress] = [await rules('Ingress', 80), await rules('Egress', 80)];
  await rules('Ingress', 90);
  await rules('Egress', 90);
  const ruleId = (list: { SecurityGroupRuleId: string }[]) => list[0]!.SecurityGroupRuleId;
  const Tags = [{ Key: 'a', Value: 'b' }];
  const tagged = (ResourceType: string) => [{ ResourceType, Tags }];
  const filter = (Name: string, Value: string) => [{ Name, Values: [Value] }];
  good = {
    CreateVpc: { CidrBlock: '10.71.0.0/16', InstanceTenancy: 'default', TagSpecifications: tagged('vpc') },
    DeleteVpc: { VpcId },
    DescribeVpcs: { VpcIds: [VpcId], Filters: filter('cidr', '10.*') },
    ModifyVpcAttribute: { VpcId, EnableDnsHostnames: { Value: true } },
    DescribeVpcAttribute: { VpcId, Attribute: 'enableDnsSupport' },
    CreateSubnet: { VpcId, CidrBlock: '10.70.1.0/24', AvailabilityZone: 'us-east-1a', TagSpecifications: tagged('subnet') },
    DeleteSubnet: { SubnetId },
    DescribeSubnets: { SubnetIds: [SubnetId], Filters: filter('vpc-id', VpcId), MaxResults: 5 },
    ModifySubnetAttribute: { SubnetId, PrivateDnsHostnameTypeOnLaunch: 'resource-name' },
    CreateSecurityGroup: { VpcId, GroupName: 'g2', Description: 'd', TagSpecifications: tagged('security-group') },
    DeleteSecurityGroup: { GroupId },
    DescribeSecurityGroups: { GroupIds: [GroupId], Filters: filter('ip-permission.from-port', '80') },
    AuthorizeSecurityGroupIngress: { GroupId, IpPermissions: [permission(81)], TagSpecifications: tagged('security-group-rule') },
    AuthorizeSecurityGroupEgress: { GroupId, IpPermissions: [permission(81)] },
    RevokeSecurityGroupIngress: { GroupId, IpPermissions: [permission(90)] },
    RevokeSecurityGroupEgress: { GroupId, IpPermissions: [permission(90)] },
    ModifySecurityGroupRules: {
      GroupId,
      SecurityGroupRules: [{ SecurityGroupRuleId: ruleId(ingress), SecurityGroupRule: { IpProtocol: 'udp', FromPort: 1, ToPort: 2, CidrIpv4: '10.0.0.0/8', Description: 'x' } }],
    }, // prettier-ignore
    UpdateSecurityGroupRuleDescriptionsIngress: { GroupId, SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId: ruleId(ingress), Description: 'y' }] }, // prettier-ignore
    UpdateSecurityGroupRuleDescriptionsEgress: { GroupId, IpPermissions: [permission(80)] },
    DescribeSecurityGroupRules: { SecurityGroupRuleIds: [ruleId(egress)], Filters: filter('group-id', GroupId) },
    CreateRouteTable: { VpcId, ClientToken: 't', TagSpecifications: tagged('route-table') },
    DeleteRouteTable: { RouteTableId },
    DescribeRouteTables: { RouteTableIds: [RouteTableId], Filters: filter('association.main', 'false') },
    AssociateRouteTable: { RouteTableId, SubnetId },
    ReplaceRouteTableAssociation: { AssociationId, RouteTableId },
    DisassociateRouteTable: { AssociationId },
    CreateRoute: { ...route, DestinationCidrBlock: '11.0.0.0/8' },
    ReplaceRoute: route,
    DeleteRoute: { RouteTableId, DestinationCidrBlock: '11.0.0.0/8' },
    CreateInternetGateway: { TagSpecifications: tagged('internet-gateway') },
    AttachInternetGateway: { InternetGatewayId: loose, VpcId: defaultVpcId(testScope) },
    DetachInternetGateway: { InternetGatewayId, VpcId },
    DeleteInternetGateway: { InternetGatewayId: loose },
    DescribeInternetGateways: { InternetGatewayIds: [loose], Filters: filter('owner-id', '*') },
    CreateTags: { Resources: [VpcId, SubnetId, GroupId, RouteTableId, loose, ruleId(egress)], Tags },
    DeleteTags: { Resources: [VpcId], Tags },
    DescribeTags: { Filters: filter('resource-type', 'vpc') },
    DescribeNetworkAcls: { Filters: filter('vpc-id', VpcId) },
    DescribeNetworkInterfaces: { Filters: filter('subnet-id', SubnetId), MaxResults: 5 },
    DescribeVpcEndpoints: { VpcEndpointIds: [] },
    DescribePrefixLists: { PrefixListIds: [] },
    DescribeNatGateways: { NatGatewayIds: [] },
    DescribeAddresses: { AllocationIds: [] },
    DescribeAccountAttributes: { AttributeNames: ['default-vpc'] },
    DescribeAvailabilityZones: { ZoneNames: ['us-east-1a'], Filters: filter('state', 'available') },
    ...(await volumeCalls(tagged, filter)),
    DescribeRegions: { RegionNames: ['us-east-1'] },
  };
});
after(() => store?.close());

/** What the gateway may hand on for a member: texts, finite numbers, booleans, lists, structures, or nothing. */
const junk = fc.oneof(
  fc.constantFrom(...oddTexts, '-1/0', '10.0.0.1/33', '10.70.0.0/16', '::1', '::/0', 'TCP', '58', 'icmp', '300', `vpc-${'0'.repeat(17)}`, `sg-${'0'.repeat(17)}`, 'igw-', 'sgr-1', 'aws:x'), // prettier-ignore
  fc.string({ maxLength: 40 }),
  fc.constantFrom(...oddNumbers, -2),
);

const takesAway = /^(Delete|Detach|Disassociate|Replace.*Association)/;

it('each operation is in the list of good inputs, and its good input is taken', async () => {
  assert.deepEqual(
    Object.keys(good).sort(), // prettier-ignore
    api.operations.map((one) => one.name).sort(),
  );
  // The default VPC has its gateway already.
  const refused = ['AttachInternetGateway', 'AttachVolume'];
  for (const name of Object.keys(good)) {
    if (takesAway.test(name)) continue;
    const outcome = await call(name, good[name]).then(
      () => 'taken',
      (error: unknown) => String(error),
    );
    if (!refused.includes(name)) assert.equal(outcome, 'taken', name);
  }
});

it('whatever stands in place of one value', async () => {
  const names = Object.keys(good).filter((name) => !takesAway.test(name));
  const target = { call, written: everything, errors: ec2Errors };
  await fc.assert(
    fc.asyncProperty(spoiledCalls(good, names, junk, 70), async (spoiled) => void (await isDoneOrRefused(spoiled, target))),
    { numRuns: 1500 },
  );
});

it('what is asked to go and is not there, or is of another region, does not exist', async () => {
  for (const name of Object.keys(good).filter((one) => takesAway.test(one) && !['DeleteTags', 'DetachVolume'].includes(one))) {
    for (const [key, value] of Object.entries(good[name] ?? {})) {
      if (typeof value !== 'string' || !key.endsWith('Id')) continue;
      const before = await everything();
      for (const other of [`${value.slice(0, value.indexOf('-'))}-${'0'.repeat(17)}`, 'x', '']) {
        await assert.rejects(call(name, { ...good[name], [key]: other }), (error) => {
          assert.ok(isFault(error), String(error));
          assert.match(String((error.details as { errorName?: string }).errorName), /\.(NotFound|Malformed)$/, `${name} ${key}`);
          return true;
        });
      }
      assert.equal(await everything(), before, name);
    }
  }
});

it('a dry run changes nothing', async () => {
  for (const [name, input] of Object.entries(good)) {
    const before = await everything();
    await assert.rejects(call(name, { ...input, DryRun: true }), /DryRun flag is set/, name);
    assert.equal(await everything(), before, name);
  }
});
