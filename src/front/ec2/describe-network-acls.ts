import type { DescribeNetworkAclsRequest, DescribeNetworkAclsResult, NetworkAcl, NetworkAclEntry } from '@aws-sdk/client-ec2';
import { derivedId } from '#domain/network.ts';
import type { SubnetRecord, VpcRecord } from '#domain/records.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { select, type ResourceKind } from './selection.ts';

/** Each VPC has its default network ACL, which lets everything through and can't be changed here. */
type Item = { vpc: VpcRecord; subnets: SubnetRecord[] };

const aclId = ({ vpc }: Item) => derivedId('acl', vpc.key.id);
const associationId = (subnet: SubnetRecord) => derivedId('aclassoc', subnet.key.id);

const kind: ResourceKind<Item> = {
  noun: 'networkAcl ID',
  code: 'InvalidNetworkAclID',
  malformedCode: 'InvalidNetworkAclId.Malformed',
  prefix: 'acl-',
  id: aclId,
  tags: () => [],
  filters: {
    'network-acl-id': (item) => [aclId(item)],
    'vpc-id': ({ vpc }) => [vpc.key.id],
    default: () => ['true'],
    'owner-id': ({ vpc }) => [vpc.key.account],
    'association.association-id': ({ subnets }) => subnets.map(associationId),
    'association.network-acl-id': (item) => [aclId(item)],
    'association.subnet-id': ({ subnets }) => subnets.map((subnet) => subnet.key.id),
  },
};

/** Rule 100 allows all; 32767, which none is left for, is AWS's `*`. */
const entries: NetworkAclEntry[] = [true, false].flatMap((Egress) => [
  { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction: 'allow' as const, RuleNumber: 100 },
  { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction: 'deny' as const, RuleNumber: 32_767 },
]);

function view(item: Item): NetworkAcl {
  return {
    NetworkAclId: aclId(item),
    VpcId: item.vpc.key.id,
    OwnerId: item.vpc.key.account,
    IsDefault: true,
    Associations: item.subnets.map((subnet) => ({
      NetworkAclAssociationId: associationId(subnet),
      NetworkAclId: aclId(item),
      SubnetId: subnet.key.id,
    })),
    Entries: entries,
    Tags: [],
  };
}

export const describeNetworkAclsOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeNetworkAclsRequest, DescribeNetworkAclsResult>('DescribeNetworkAcls', async (input, context) => {
    const scope = scopeOf(context);
    const items = await store.read(async (tx) => {
      const subnets = Map.groupBy(await tx.subnets.list(scope), (subnet) => subnet.vpcId);
      return (await tx.vpcs.list(scope)).map((vpc) => ({ vpc, subnets: subnets.get(vpc.key.id) ?? [] }));
    });
    const { page, nextToken } = select(kind, items, {
      ids: input.NetworkAclIds,
      filters: input.Filters,
      maxResults: input.MaxResults,
      nextToken: input.NextToken,
    });
    return { NetworkAcls: page.map(view), NextToken: nextToken };
  });
