import type { DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult, SecurityGroup } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { ec2Arn } from '#domain/arn.ts';
import type { SecurityGroupRecord } from '#domain/records.ts';
import type { Operation } from '#gateway/types.ts';
import type { Store } from '#store/types.ts';
import { assertNotDryRun } from './errors.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';

const kind: ResourceKind<SecurityGroupRecord> = {
  noun: 'security group',
  code: 'InvalidGroup',
  malformedCode: 'InvalidGroupId.Malformed',
  prefix: 'sg-',
  id: (group) => group.key.id,
  tags: (group) => group.tags,
  filters: {
    'group-id': (group) => [group.key.id],
    'group-name': (group) => [group.name],
    'vpc-id': (group) => [group.vpcId],
    description: (group) => [group.description],
    'owner-id': (group) => [group.key.account],
    'ip-permission.group-id': (group) => [group.isDefault ? group.key.id : undefined],
    'ip-permission.protocol': (group) => [group.isDefault ? '-1' : undefined],
    'egress.ip-permission.cidr': () => ['0.0.0.0/0'],
    'egress.ip-permission.protocol': () => ['-1'],
  },
};

/** A new group lets everything out and nothing in; a default one lets its own members in. */
function view(group: SecurityGroupRecord): SecurityGroup {
  const own = { UserId: group.key.account, GroupId: group.key.id };
  return {
    GroupId: group.key.id,
    GroupName: group.name,
    Description: group.description,
    VpcId: group.vpcId,
    OwnerId: group.key.account,
    SecurityGroupArn: ec2Arn(group.key, `security-group/${group.key.id}`),
    IpPermissions: group.isDefault ? [{ IpProtocol: '-1', UserIdGroupPairs: [own], IpRanges: [], Ipv6Ranges: [], PrefixListIds: [] }] : [],
    IpPermissionsEgress: [
      { IpProtocol: '-1', UserIdGroupPairs: [], IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: [], PrefixListIds: [] },
    ],
    Tags: tagViews(group.tags),
  };
}

export function describeSecurityGroupsOperation(store: Store): Operation<DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult> {
  return {
    name: 'DescribeSecurityGroups',
    action: 'ec2:DescribeSecurityGroups',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      assertNotDryRun(input);
      const groups = await store.read((tx) => tx.securityGroups.list({ account, region }));
      // Names without a VPC mean the default VPC's groups, as in AWS.
      const names = input.GroupNames ?? [];
      const unknown = names.find((name) => !groups.some((group) => group.name === name));
      if (unknown !== undefined) {
        const text = `The security group '${unknown.slice(0, 255)}' does not exist in default VPC`;
        throw new Fault('ResourceNotFound', text, { details: { errorName: 'InvalidGroup.NotFound' } });
      }
      const { page, nextToken } = select(
        kind,
        groups.filter((group) => names.length === 0 || names.includes(group.name)),
        {
          ids: input.GroupIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      );
      return { SecurityGroups: page.map(view), NextToken: nextToken };
    },
  };
}
