/**
 * What IAM is asked before each operation of EC2. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2". Describe
 * calls have no resources; what is made has the ARN of any of its kind, and its tags need ec2:CreateTags.
 */
import type { TagSpecification } from '@aws-sdk/client-ec2';
import { ec2Arn } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, requestTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, OwnFacts } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { aboutEc2, associationArns, ec2ArnOf, ec2ResourceArn, groupId } from './access-resources.ts';

type Input = Record<string, unknown>;
type Tagged = { TagSpecifications?: TagSpecification[] | undefined };
type Made = 'vpc' | 'subnet' | 'security-group' | 'route-table' | 'internet-gateway' | 'volume' | 'snapshot';

const described = [
  'AccountAttributes',
  'Addresses',
  'AvailabilityZones',
  'InternetGateways',
  'NatGateways',
  'NetworkAcls',
  'NetworkInterfaces',
  'PrefixLists',
  'Regions',
  'RouteTables',
  'SecurityGroupRules',
  'SecurityGroups',
  'Snapshots',
  'Subnets',
  'Tags',
  'Volumes',
  'VolumesModifications',
  'VpcEndpoints',
  'Vpcs',
];

export function ec2Access(deps: IntentDeps): AccessTable {
  const group: AccessRow['resources'] = async (input, scope) => [ec2Arn(scope, `security-group/${await groupId(deps, scope, input)}`)];
  const ofGroup: AccessRow = { resources: group };
  const authorizing = (direction: string): AccessRow => ({
    resources: group,
    facts: tagFacts,
    also: (input: Tagged, scope) => tagging(`AuthorizeSecurityGroup${direction}`, input, ec2Arn(scope, 'security-group-rule/*')),
  });
  return {
    vendor: 'ec2',
    about: (arn, scope) => aboutEc2(deps, arn, scope),
    rows: {
      ...Object.fromEntries(described.map((name): [string, AccessRow] => [`Describe${name}`, { resources: anything }])),
      DescribeVpcAttribute: of('VpcId'),
      AssociateRouteTable: of('RouteTableId', 'SubnetId', 'GatewayId'),
      AttachInternetGateway: of('InternetGatewayId', 'VpcId'),
      AttachVolume: of('InstanceId', 'VolumeId'),
      AuthorizeSecurityGroupEgress: authorizing('Egress'),
      AuthorizeSecurityGroupIngress: authorizing('Ingress'),
      CreateInternetGateway: making('CreateInternetGateway', 'internet-gateway'),
      CreateRoute: of('RouteTableId'),
      CreateRouteTable: making('CreateRouteTable', 'route-table', 'VpcId'),
      CreateSecurityGroup: making('CreateSecurityGroup', 'security-group', 'VpcId'),
      CreateSnapshot: making('CreateSnapshot', 'snapshot', 'VolumeId'),
      CreateSubnet: making('CreateSubnet', 'subnet', 'VpcId'),
      CreateTags: { resources: ({ Resources: named }, scope) => ids(scope, named), facts: ({ Tags }) => requestTags(Tags) },
      CreateVolume: {
        ...making('CreateVolume', 'volume', 'SnapshotId'),
        facts: (input) => ({ ...tagFacts(input), ...volumeFacts(input) }),
      },
      CreateVpc: making('CreateVpc', 'vpc'),
      DeleteInternetGateway: of('InternetGatewayId'),
      DeleteRoute: of('RouteTableId'),
      DeleteRouteTable: of('RouteTableId'),
      DeleteSecurityGroup: ofGroup,
      DeleteSnapshot: of('SnapshotId'),
      DeleteSubnet: of('SubnetId'),
      DeleteTags: { resources: ({ Resources: named }, scope) => ids(scope, named), facts: ({ Tags }) => requestTags(Tags) },
      DeleteVolume: of('VolumeId'),
      DeleteVpc: of('VpcId'),
      DetachInternetGateway: of('InternetGatewayId', 'VpcId'),
      DetachVolume: of('InstanceId', 'VolumeId'),
      DisassociateRouteTable: { resources: (input, scope) => associationArns(deps, scope, input.AssociationId) },
      ModifySecurityGroupRules: {
        resources: async (input, scope) => [
          ...(await group(input, scope)),
          ...ids(
            scope,
            (input.SecurityGroupRules ?? []).map((rule: { SecurityGroupRuleId?: string }) => rule.SecurityGroupRuleId),
          ),
        ],
      },
      ModifySubnetAttribute: { ...of('SubnetId'), facts: attributeFacts },
      ModifyVolume: { ...of('VolumeId'), facts: attributeFacts },
      ModifyVpcAttribute: { ...of('VpcId'), facts: attributeFacts },
      ReplaceRoute: of('RouteTableId'),
      ReplaceRouteTableAssociation: {
        resources: async (input, scope) => [
          ...new Set([...ids(scope, [input.RouteTableId]), ...(await associationArns(deps, scope, input.AssociationId))]),
        ],
      },
      RevokeSecurityGroupEgress: ofGroup,
      RevokeSecurityGroupIngress: ofGroup,
      UpdateSecurityGroupRuleDescriptionsEgress: ofGroup,
      UpdateSecurityGroupRuleDescriptionsIngress: ofGroup,
    },
  };
}

const ids = (scope: Scope, named: readonly (string | undefined)[] | undefined) => (named ?? []).map((id) => ec2ArnOf(scope, id ?? ''));

/** What these members name, where they are given. */
function of(...members: string[]): AccessRow<Input> {
  return {
    resources: (input, scope) => {
      const named = members.map((member) => input[member]).filter((id) => typeof id === 'string' && id !== '');
      return named.length === 0 ? ['*'] : ids(scope, named as string[]);
    },
  };
}

/** A new one of a kind, and what it is made of or in. */
function making(operation: string, kind: Made, ...members: string[]): AccessRow<Input & Tagged> {
  return {
    resources: (input, scope) => {
      const within = members.map((member) => input[member]).filter((id) => typeof id === 'string' && id !== '') as string[];
      return [ec2ResourceArn(scope, kind, '*'), ...ids(scope, within)];
    },
    facts: tagFacts,
    also: (input, scope) => tagging(operation, input, ec2ResourceArn(scope, kind, '*')),
  };
}

const tagFacts = ({ TagSpecifications: specifications }: Tagged): OwnFacts => requestTags((specifications ?? []).flatMap(({ Tags }) => Tags ?? [])); // prettier-ignore

function tagging(operation: string, input: Tagged, arn: string) {
  const facts = tagFacts(input);
  if (facts['aws:TagKeys'] === undefined) return [];
  return [{ action: 'ec2:CreateTags', resources: [arn], facts: { ...facts, 'ec2:CreateAction': operation } }];
}

type Sizes = { Size?: number; VolumeType?: string; Iops?: number; Throughput?: number; Encrypted?: boolean; AvailabilityZone?: string };

function volumeFacts(input: Sizes): OwnFacts {
  const facts: OwnFacts = { 'ec2:Encrypted': String(input.Encrypted ?? false), 'ec2:VolumeType': input.VolumeType ?? 'gp2' };
  if (input.Size !== undefined) facts['ec2:VolumeSize'] = String(input.Size);
  if (input.Iops !== undefined) facts['ec2:VolumeIops'] = String(input.Iops);
  if (input.Throughput !== undefined) facts['ec2:VolumeThroughput'] = String(input.Throughput);
  if (input.AvailabilityZone !== undefined) facts['ec2:AvailabilityZone'] = input.AvailabilityZone;
  return facts;
}

/** `ec2:Attribute` names what a call is about to change. */
function attributeFacts(input: Input): OwnFacts {
  const names = Object.keys(input).filter((name) => !/Id$|^DryRun$/.test(name) && input[name] !== undefined);
  return names.length === 0 ? {} : { 'ec2:Attribute': names };
}
