import type { DescribeVpcsRequest, DescribeVpcsResult, Vpc } from '@aws-sdk/client-ec2';
import type { VpcRecord } from '#domain/records.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { assertNotDryRun } from './errors.ts';
import { derivedId } from '#domain/network.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';

const kind: ResourceKind<VpcRecord> = {
  noun: 'vpc ID',
  code: 'InvalidVpcID',
  malformedCode: 'InvalidVpcID.Malformed',
  prefix: 'vpc-',
  id: (vpc) => vpc.key.id,
  tags: (vpc) => vpc.tags,
  filters: {
    'vpc-id': (vpc) => [vpc.key.id],
    cidr: (vpc) => [vpc.cidr],
    'cidr-block-association.cidr-block': (vpc) => [vpc.cidr],
    'cidr-block-association.state': () => ['associated'],
    'dhcp-options-id': (vpc) => [derivedId('dopt', vpc.key.id)],
    'is-default': (vpc) => [String(vpc.isDefault)],
    isDefault: (vpc) => [String(vpc.isDefault)],
    'owner-id': (vpc) => [vpc.key.account],
    state: () => ['available'],
  },
};

export function vpcView(vpc: VpcRecord): Vpc {
  return {
    VpcId: vpc.key.id,
    State: 'available',
    CidrBlock: vpc.cidr,
    DhcpOptionsId: derivedId('dopt', vpc.key.id),
    OwnerId: vpc.key.account,
    InstanceTenancy: 'default',
    CidrBlockAssociationSet: [
      { AssociationId: derivedId('vpc-cidr-assoc', vpc.key.id), CidrBlock: vpc.cidr, CidrBlockState: { State: 'associated' } },
    ],
    IsDefault: vpc.isDefault,
    Tags: tagViews(vpc.tags),
  };
}

export function describeVpcsOperation(store: IntentDeps['store']): Handler<DescribeVpcsRequest, DescribeVpcsResult> {
  return {
    name: 'DescribeVpcs',
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const vpcs = await store.read((tx) => tx.vpcs.list({ account, region }));
      const { page, nextToken } = select(kind, vpcs, {
        ids: input.VpcIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return { Vpcs: page.map(vpcView), NextToken: nextToken };
    },
  };
}
