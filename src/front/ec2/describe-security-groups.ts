import type { DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult, SecurityGroup } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { ec2Arn } from '#domain/arn.ts';
import type { RuleTraffic, SecurityGroupRuleRecord } from '#domain/network.ts';
import type { SecurityGroupRecord } from '#domain/records.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { permissionViews } from './permissions.ts';
import { select, tagViews, type ResourceKind } from './selection.ts';

type Item = { group: SecurityGroupRecord; rules: SecurityGroupRuleRecord[] };

const kind: ResourceKind<Item> = {
  noun: 'security group',
  code: 'InvalidGroup',
  malformedCode: 'InvalidGroupId.Malformed',
  prefix: 'sg-',
  id: ({ group }) => group.key.id,
  tags: ({ group }) => group.tags,
  filters: {
    'group-id': ({ group }) => [group.key.id],
    'group-name': ({ group }) => [group.name],
    'vpc-id': ({ group }) => [group.vpcId],
    description: ({ group }) => [group.description],
    'owner-id': ({ group }) => [group.key.account],
    ...permissionFilters('ip-permission', false),
    ...permissionFilters('egress.ip-permission', true),
  },
};

/** Filters over what a group's rules of one direction let through. */
function permissionFilters(prefix: string, egress: boolean): ResourceKind<Item>['filters'] {
  const over = (read: (traffic: RuleTraffic) => string | undefined) => (item: Item) =>
    item.rules.filter((rule) => rule.egress === egress).map(({ traffic }) => read(traffic));
  const port = (value: number | null) => (value === null ? undefined : String(value));
  return {
    [`${prefix}.cidr`]: over(({ peer }) => (peer.kind === 'ipv4' ? peer.cidr : undefined)),
    [`${prefix}.ipv6-cidr`]: over(({ peer }) => (peer.kind === 'ipv6' ? peer.cidr : undefined)),
    [`${prefix}.group-id`]: over(({ peer }) => (peer.kind === 'group' ? peer.groupId : undefined)),
    [`${prefix}.user-id`]: (item) =>
      item.rules.filter((rule) => rule.egress === egress && rule.traffic.peer.kind === 'group').map((rule) => rule.key.account),
    [`${prefix}.prefix-list-id`]: () => [],
    [`${prefix}.protocol`]: over(({ protocol }) => protocol),
    [`${prefix}.from-port`]: over(({ fromPort }) => port(fromPort)),
    [`${prefix}.to-port`]: over(({ toPort }) => port(toPort)),
  };
}

function view({ group, rules }: Item): SecurityGroup {
  return {
    GroupId: group.key.id,
    GroupName: group.name,
    Description: group.description,
    VpcId: group.vpcId,
    OwnerId: group.key.account,
    SecurityGroupArn: ec2Arn(group.key, `security-group/${group.key.id}`),
    IpPermissions: permissionViews(rules.filter((rule) => !rule.egress)),
    IpPermissionsEgress: permissionViews(rules.filter((rule) => rule.egress)),
    Tags: tagViews(group.tags),
  };
}

export const describeSecurityGroupsOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeSecurityGroupsRequest, DescribeSecurityGroupsResult>('DescribeSecurityGroups', async (input, context) => {
    const scope = scopeOf(context);
    const [groups, rules] = await store.read(async (tx) => [
      await tx.securityGroups.list(scope),
      Map.groupBy(await tx.securityGroupRules.list(scope), (rule) => rule.key.group),
    ]);
    // Names without a VPC mean the default VPC's groups, as in AWS.
    const names = input.GroupNames ?? [];
    const unknown = names.find((name) => !groups.some((group) => group.name === name));
    if (unknown !== undefined) {
      const text = `The security group '${unknown.slice(0, 255)}' does not exist in default VPC`;
      throw new Fault('ResourceNotFound', text, { details: { errorName: 'InvalidGroup.NotFound' } });
    }
    const items = groups
      .filter((group) => names.length === 0 || names.includes(group.name))
      .map((group) => ({ group, rules: rules.get(group.key.id) ?? [] }));
    const { page, nextToken } = select(kind, items, {
      ids: input.GroupIds,
      filters: input.Filters,
      maxResults: input.MaxResults,
      nextToken: input.NextToken,
    });
    return { SecurityGroups: page.map(view), NextToken: nextToken };
  });
