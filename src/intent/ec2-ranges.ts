/**
 * Ranges of VPCs and subnets. AWS lets VPCs overlap one another; here the machine routes each range to one VPC only, so a range that is in
 * use by the machine or by another VPC of this berth is refused, with ranges that are free.
 */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import {
  containsCidr,
  formatCidr,
  lastOf,
  networkOf,
  overlaps,
  parseCidr,
  parseCidrLoosely,
  parseIp,
  vpcCandidates,
} from '#domain/cidr.ts';
import type { Cidr } from '#domain/cidr.ts';
import { clip } from '#domain/names.ts';
import type { SubnetRecord, VpcRecord } from '#domain/records.ts';
import type { ReadTx } from '#store/types.ts';
import { ec2Fault } from './ec2-faults.ts';

const PREFIX_MIN = 16;
const PREFIX_MAX = 28;
/** Where no VPC can be: this network, loopback, link-local (the routers' own), multicast and what is beyond it. */
const impossible = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseCidr);

/** As AWS reads it: bits behind the prefix are dropped. Throws `errorName` outside of /16 to /28. */
function rangeOf(text: string, errorName: string, parameter: string): Cidr {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const prefix = Number(match?.[2] ?? 99);
  let base: number;
  try {
    base = parseIp(match?.[1] ?? '');
  } catch {
    throw new Fault('InvalidParameter', `Value (${clip(text)}) for parameter ${parameter} is invalid. This is not a valid CIDR block.`);
  }
  if (prefix < PREFIX_MIN || prefix > PREFIX_MAX) {
    throw ec2Fault(errorName, `The CIDR '${clip(text)}' is invalid: its prefix must be between /${PREFIX_MIN} and /${PREFIX_MAX}.`);
  }
  return { base: networkOf(base, prefix), prefix };
}

/** The range of a new VPC, checked. Throws InvalidVpc.Range with what it clashes with. */
export async function newVpcRange(tx: ReadTx, text: string): Promise<string> {
  const range = rangeOf(text, 'InvalidVpc.Range', 'cidrBlock');
  const bad = impossible.find((other) => overlaps(other, range));
  if (bad !== undefined) {
    throw ec2Fault('InvalidVpc.Range', `The CIDR '${clip(text)}' is invalid: ${formatCidr(bad)} can't be a VPC's.`);
  }
  const hosts = await tx.hosts.list({});
  const vpcs = await tx.vpcs.list({});
  const clash =
    vpcs
      .filter((vpc) => overlaps(parseCidr(vpc.cidr), range))
      .map((vpc) => `${vpc.cidr} of ${vpc.key.id} in ${vpc.key.region}`)
      .at(0) ??
    hosts
      .flatMap((host) => host.info.occupiedCidrs.map((cidr) => ({ cidr, hostname: host.info.hostname })))
      .filter(({ cidr }) => isClash(cidr, range))
      .map(({ cidr, hostname }) => `${cidr}, which the machine ${hostname} itself uses`)
      .at(0);
  if (clash === undefined) return formatCidr(range);
  const free = freeRanges([...hosts.flatMap((host) => host.info.occupiedCidrs), ...vpcs.map((vpc) => vpc.cidr)]);
  throw ec2Fault(
    'InvalidVpc.Range',
    `The CIDR '${formatCidr(range)}' overlaps ${clash}: tasks in it could not be reached, since a machine routes each range to one place. Free are, among others, ${free.join(', ')}.`,
  );
}

const isClash = (cidr: string, range: Cidr) => {
  const other = parseCidrLoosely(cidr);
  return other.prefix > 0 && overlaps(other, range);
};

function freeRanges(occupied: string[]): string[] {
  const taken = occupied.map(parseCidrLoosely).filter((range) => range.prefix > 0);
  return vpcCandidates
    .filter((candidate) => !taken.some((range) => overlaps(range, candidate)))
    .slice(0, limits.freeRangesShown)
    .map(formatCidr);
}

/** The range of a new subnet of a VPC. Throws InvalidSubnet.Range and InvalidSubnet.Conflict. */
export function newSubnetRange(text: string, vpc: VpcRecord, siblings: readonly SubnetRecord[]): string {
  const range = rangeOf(text, 'InvalidSubnet.Range', 'cidrBlock');
  if (!containsCidr(parseCidr(vpc.cidr), range)) {
    throw ec2Fault(
      'InvalidSubnet.Range',
      `The CIDR '${formatCidr(range)}' is invalid: it lies outside of ${vpc.cidr}, the range of ${vpc.key.id}.`,
    );
  }
  const other = siblings.find((subnet) => overlaps(parseCidr(subnet.cidr), range));
  if (other !== undefined) {
    throw ec2Fault(
      'InvalidSubnet.Conflict',
      `The CIDR '${formatCidr(range)}' conflicts with another subnet: ${other.cidr} of ${other.key.id}.`,
    );
  }
  return formatCidr(range);
}

/** Whether a route's destination lies inside of a VPC: such traffic is local. */
export function isInside(cidr: string, vpc: VpcRecord): boolean {
  const range = parseCidr(vpc.cidr);
  const inner = parseCidr(cidr);
  return inner.base >= range.base && lastOf(inner) <= lastOf(range);
}
