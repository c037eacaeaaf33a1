/**
 * What a VPC has beside its subnets: the rules of security groups, route tables, internet gateways. They are kept and read back as they
 * were given; nothing enforces them yet. Desired state, all of it: intent is the only writer.
 */
import { createHash } from 'node:crypto';
import type { SubnetRecord, VpcRecord } from './records.ts';
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

/** Attributes of ModifyVpcAttribute. */
export type VpcAttributes = { enableDnsSupport: boolean; enableDnsHostnames: boolean; enableNetworkAddressUsageMetrics: boolean };

/** Attributes of ModifySubnetAttribute. */
export type SubnetAttributes = {
  mapPublicIpOnLaunch: boolean;
  hostnameType: 'ip-name' | 'resource-name';
  enableResourceNameDnsARecord: boolean;
};

/** With AWS's defaults for those that nobody set: a default VPC has DNS host names, another one not. */
export function vpcAttributes(vpc: Pick<VpcRecord, 'isDefault' | 'attributes'>): VpcAttributes {
  return { enableDnsSupport: true, enableDnsHostnames: vpc.isDefault, enableNetworkAddressUsageMetrics: false, ...vpc.attributes };
}

/** With AWS's defaults: a default subnet gives its tasks public addresses, another one not. */
export function subnetAttributes(subnet: Pick<SubnetRecord, 'isDefault' | 'attributes'>): SubnetAttributes {
  return { mapPublicIpOnLaunch: subnet.isDefault, hostnameType: 'ip-name', enableResourceNameDnsARecord: false, ...subnet.attributes };
}

/** Who may send or be sent to: one of these. */
export type RulePeer = { kind: 'ipv4'; cidr: string } | { kind: 'ipv6'; cidr: string } | { kind: 'group'; groupId: string };

/** What a rule lets through; two rules of a group and direction never have the same. */
export type RuleTraffic = {
  /** `-1` (all), `tcp`, `udp`, `icmp`, `icmpv6`, or another protocol's number as text. */
  protocol: string;
  /** First and last port; type and code of ICMP, -1 for all; null where the protocol has neither. */
  fromPort: number | null;
  toPort: number | null;
  peer: RulePeer;
};

export type SecurityGroupRuleRecord = {
  key: Scope & { group: string; id: string };
  revision: number;
  egress: boolean;
  traffic: RuleTraffic;
  description: string | null;
  tags: Tag[];
};

/** A route beside the local one, which every table has. */
export type Route = { destination: string; gatewayId: string };
/** `subnetId` null: the VPC's main table. */
export type RouteAssociation = { id: string; subnetId: string | null };

export type RouteTableRecord = {
  key: Scope & { id: string };
  revision: number;
  vpcId: string;
  routes: Route[];
  associations: RouteAssociation[];
  tags: Tag[];
};

export const isMain = (table: Pick<RouteTableRecord, 'associations'>) => table.associations.some(({ subnetId }) => subnetId === null);

export type InternetGatewayRecord = { key: Scope & { id: string }; revision: number; vpcId: string | null; tags: Tag[] };

/** `rtb-` and the like for what belongs to another resource: the same at every time. */
export function derivedId(prefix: string, ownerId: string): string {
  return `${prefix}-0${createHash('sha256').update(`${prefix}/${ownerId}`).digest('hex').slice(0, 16)}`;
}

/** A region's zones: name and AWS's id of it. `us-east-1` -> `us-east-1a`, `use1-az1`. */
export function zonesOf(region: string): { name: string; id: string }[] {
  const short = region
    .split('-')
    .map((part, at, all) => (at === 0 || at === all.length - 1 ? part : shortDirection(part)))
    .join('');
  return ['a', 'b', 'c'].map((letter, index) => ({ name: `${region}${letter}`, id: `${short}-az${index + 1}` }));
}

/** `east` -> `e`, `northeast` -> `ne`, `gov` -> `g`. */
function shortDirection(part: string): string {
  return part
    .replace(/^(north|south)(east|west)$/, (_, a: string, b: string) => `${a.charAt(0)}${b.charAt(0)}`)
    .replace(/^(\w)\w{2,}$/, '$1');
}
