import type { DescribeSubnetsRequest, DescribeSubnetsResult, Subnet } from '@aws-sdk/client-ec2';
import { ec2Arn } from '#domain/arn.ts';
import { parseCidr, usableCount } from '#domain/cidr.ts';
import { subnetAttributes } from '#domain/network.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { assertNotDryRun } from './errors.ts';
import { holdsInterface } from './interfaces.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';

/** `free`: addresses that no task has. */
export type SubnetItem = { record: SubnetRecord; free: number };

const kind: ResourceKind<SubnetItem> = {
  noun: 'subnet ID',
  code: 'InvalidSubnetID',
  malformedCode: 'InvalidSubnetId.Malformed',
  prefix: 'subnet-',
  id: ({ record }) => record.key.id,
  tags: ({ record }) => record.tags,
  filters: {
    'subnet-id': ({ record }) => [record.key.id],
    'subnet-arn': ({ record }) => [ec2Arn(record.key, `subnet/${record.key.id}`)],
    'vpc-id': ({ record }) => [record.vpcId],
    cidr: ({ record }) => [record.cidr],
    'cidr-block': ({ record }) => [record.cidr],
    cidrBlock: ({ record }) => [record.cidr],
    'availability-zone': ({ record }) => [record.zone],
    availabilityZone: ({ record }) => [record.zone],
    'availability-zone-id': ({ record }) => [record.zoneId],
    availabilityZoneId: ({ record }) => [record.zoneId],
    'available-ip-address-count': ({ free }) => [String(free)],
    'default-for-az': ({ record }) => [String(record.isDefault)],
    defaultForAz: ({ record }) => [String(record.isDefault)],
    'map-public-ip-on-launch': ({ record }) => [String(subnetAttributes(record).mapPublicIpOnLaunch)],
    'ipv6-native': () => ['false'],
    'owner-id': ({ record }) => [record.key.account],
    state: () => ['available'],
  },
};

export function subnetView({ record, free }: SubnetItem): Subnet {
  const attributes = subnetAttributes(record);
  return {
    SubnetId: record.key.id,
    SubnetArn: ec2Arn(record.key, `subnet/${record.key.id}`),
    VpcId: record.vpcId,
    State: 'available',
    CidrBlock: record.cidr,
    AvailableIpAddressCount: free,
    AvailabilityZone: record.zone,
    AvailabilityZoneId: record.zoneId,
    DefaultForAz: record.isDefault,
    MapPublicIpOnLaunch: attributes.mapPublicIpOnLaunch,
    MapCustomerOwnedIpOnLaunch: false,
    AssignIpv6AddressOnCreation: false,
    Ipv6CidrBlockAssociationSet: [],
    EnableDns64: false,
    Ipv6Native: false,
    PrivateDnsNameOptionsOnLaunch: {
      HostnameType: attributes.hostnameType,
      EnableResourceNameDnsARecord: attributes.enableResourceNameDnsARecord,
      EnableResourceNameDnsAAAARecord: false,
    },
    OwnerId: record.key.account,
    Tags: tagViews(record.tags),
  };
}

export function describeSubnetsOperation(store: IntentDeps['store']): Handler<DescribeSubnetsRequest, DescribeSubnetsResult> {
  return {
    name: 'DescribeSubnets',
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const [subnets, tasks] = await store.read(async (tx) => [
        await tx.subnets.list({ account, region }),
        await tx.tasks.list({ account, region, live: true }),
      ]);
      const used = Map.groupBy(tasks.filter(holdsInterface), (task) => task.desired.network.subnetId);
      const items = subnets.map((record) => ({
        record,
        free: usableCount(parseCidr(record.cidr)) - (used.get(record.key.id)?.length ?? 0),
      }));
      const { page, nextToken } = select(kind, items, {
        ids: input.SubnetIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return { Subnets: page.map(subnetView), NextToken: nextToken };
    },
  };
}
