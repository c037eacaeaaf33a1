/** Security group rules in EC2's words: `IpPermission` (several peers in one), `SecurityGroupRule` (one each). */
import type { IpPermission, RevokedSecurityGroupRule, SecurityGroupRule, SecurityGroupRuleRequest } from '@aws-sdk/client-ec2';
import { ec2Arn } from '#domain/arn.ts';
import type { SecurityGroupRuleRecord } from '#domain/network.ts';
import { canonicalCidr, canonicalCidr6, ruleDescription, rulePorts, ruleProtocol } from '#domain/rule-traffic.ts';
import { ec2Fault } from '#intent/index.ts';
import type { PeerWish, PermissionWish } from '#intent/index.ts';
import { tagViews } from './selection.ts';

/** The older way to name one rule, beside `IpPermissions`. */
export type FlatPermission = {
  CidrIp?: string | undefined;
  FromPort?: number | undefined;
  ToPort?: number | undefined;
  IpProtocol?: string | undefined;
  SourceSecurityGroupName?: string | undefined;
  IpPermissions?: IpPermission[] | undefined;
};

/** All rules that a call names. Throws InvalidParameterValue, MissingParameter. */
export function ruleWishes(input: FlatPermission): PermissionWish[] {
  const { CidrIp, FromPort, ToPort, IpProtocol, SourceSecurityGroupName } = input;
  const flat: IpPermission = {
    IpProtocol: IpProtocol ?? (SourceSecurityGroupName === undefined ? undefined : '-1'),
    FromPort,
    ToPort,
    IpRanges: CidrIp === undefined ? [] : [{ CidrIp }],
    UserIdGroupPairs: SourceSecurityGroupName === undefined ? [] : [{ GroupName: SourceSecurityGroupName }],
  };
  const isFlat = [CidrIp, FromPort, ToPort, IpProtocol, SourceSecurityGroupName].some((value) => value !== undefined);
  if (isFlat && input.IpPermissions !== undefined) {
    throw ec2Fault('InvalidParameterCombination', "The parameter 'ipPermissions' may not be used in combination with 'ipProtocol'");
  }
  const permissions = isFlat ? [flat] : (input.IpPermissions ?? []);
  if (permissions.length === 0) throw ec2Fault('MissingParameter', 'The request must contain the parameter ipPermissions');
  return permissions.flatMap(permissionWishes);
}

function permissionWishes(permission: IpPermission): PermissionWish[] {
  const protocol = ruleProtocol(permission.IpProtocol);
  const ports = rulePorts(protocol, permission.FromPort, permission.ToPort);
  const peers: { peer: PeerWish; text: string | undefined }[] = [
    ...(permission.IpRanges ?? []).map(({ CidrIp = '', Description }) => ({
      peer: { kind: 'ipv4' as const, cidr: canonicalCidr(CidrIp) },
      text: Description,
    })),
    ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 = '', Description }) => ({
      peer: { kind: 'ipv6' as const, cidr: canonicalCidr6(CidrIpv6) },
      text: Description,
    })),
    ...(permission.PrefixListIds ?? []).map(({ PrefixListId = '', Description }) => ({
      peer: { kind: 'prefix-list' as const, id: PrefixListId },
      text: Description,
    })),
    ...(permission.UserIdGroupPairs ?? []).map(({ GroupId, GroupName = '', Description }) => ({
      peer: { kind: 'group' as const, group: GroupId === undefined ? { name: GroupName } : { id: GroupId } },
      text: Description,
    })),
  ];
  if (peers.length === 0) {
    throw ec2Fault('MissingParameter', 'Missing source specification: include source security group, CIDR, or prefix list information');
  }
  return peers.map(({ peer, text }) => ({ protocol, ...ports, peer, description: ruleDescription(text) }));
}

/** One rule as ModifySecurityGroupRules has it: exactly one peer. */
export function ruleRequestWish(request: SecurityGroupRuleRequest): PermissionWish {
  const { CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupId } = request;
  const peers: PeerWish[] = [
    ...(CidrIpv4 === undefined ? [] : [{ kind: 'ipv4' as const, cidr: canonicalCidr(CidrIpv4) }]),
    ...(CidrIpv6 === undefined ? [] : [{ kind: 'ipv6' as const, cidr: canonicalCidr6(CidrIpv6) }]),
    ...(PrefixListId === undefined ? [] : [{ kind: 'prefix-list' as const, id: PrefixListId }]),
    ...(ReferencedGroupId === undefined ? [] : [{ kind: 'group' as const, group: { id: ReferencedGroupId } }]),
  ];
  const [peer] = peers;
  if (peer === undefined || peers.length > 1) {
    throw ec2Fault('InvalidParameterValue', `A rule has exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId; this one has ${peers.length}.`); // prettier-ignore
  }
  const protocol = ruleProtocol(request.IpProtocol);
  return { protocol, ...rulePorts(protocol, request.FromPort, request.ToPort), peer, description: ruleDescription(request.Description) };
}

/** Rules as a group shows them: those of one protocol and ports together. */
export function permissionViews(rules: SecurityGroupRuleRecord[]): IpPermission[] {
  const together = Map.groupBy(rules, ({ traffic }) => `${traffic.protocol}/${traffic.fromPort}/${traffic.toPort}`);
  return [...together.values()].map((group) => {
    const { protocol, fromPort, toPort } = group[0]!.traffic;
    const view = {
      IpProtocol: protocol,
      ...(fromPort === null ? {} : { FromPort: fromPort }),
      ...(toPort === null ? {} : { ToPort: toPort }),
      UserIdGroupPairs: [] as NonNullable<IpPermission['UserIdGroupPairs']>,
      IpRanges: [] as NonNullable<IpPermission['IpRanges']>,
      Ipv6Ranges: [] as NonNullable<IpPermission['Ipv6Ranges']>,
      PrefixListIds: [],
    };
    for (const { key, traffic, description } of group) {
      const said = description === null ? {} : { Description: description };
      const { peer } = traffic;
      if (peer.kind === 'ipv4') view.IpRanges.push({ CidrIp: peer.cidr, ...said });
      else if (peer.kind === 'ipv6') view.Ipv6Ranges.push({ CidrIpv6: peer.cidr, ...said });
      else view.UserIdGroupPairs.push({ GroupId: peer.groupId, UserId: key.account, ...said });
    }
    return view;
  });
}

export function ruleView({ key, egress, traffic, description, tags }: SecurityGroupRuleRecord): SecurityGroupRule {
  const { protocol, fromPort, toPort, peer } = traffic;
  return {
    SecurityGroupRuleId: key.id,
    SecurityGroupRuleArn: ec2Arn(key, `security-group-rule/${key.id}`),
    GroupId: key.group,
    GroupOwnerId: key.account,
    IsEgress: egress,
    IpProtocol: protocol,
    FromPort: fromPort ?? -1,
    ToPort: toPort ?? -1,
    ...(peer.kind === 'ipv4' ? { CidrIpv4: peer.cidr } : {}),
    ...(peer.kind === 'ipv6' ? { CidrIpv6: peer.cidr } : {}),
    ...(peer.kind === 'group' ? { ReferencedGroupInfo: { GroupId: peer.groupId, UserId: key.account } } : {}),
    ...(description === null ? {} : { Description: description }),
    Tags: tagViews(tags),
  };
}

export function revokedView(rule: SecurityGroupRuleRecord): RevokedSecurityGroupRule {
  const { ReferencedGroupInfo, SecurityGroupRuleArn: _arn, GroupOwnerId: _owner, Tags: _tags, ...view } = ruleView(rule);
  return { ...view, ...(ReferencedGroupInfo === undefined ? {} : { ReferencedGroupId: ReferencedGroupInfo.GroupId }) };
}
