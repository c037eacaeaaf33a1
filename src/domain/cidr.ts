/**
 * IPv4 addresses and ranges (RFC 4632) as numbers: parsing, containment, the cutting of a VPC into subnets, and the choice of a range
 * that nothing else on the machine uses. Addresses are unsigned 32-bit numbers.
 */
import { Fault } from '#base/fault.ts';

/** `base` has no bits set beyond `prefix`. */
export type Cidr = { base: number; prefix: number };

/** AWS keeps the first four addresses of a subnet and its last ("Subnet CIDR blocks", VPC user guide); the first is the gateway. */
export const RESERVED_AT_START = 4;
export const RESERVED_AT_END = 1;

/** `10.0.0.7` -> number. Throws InvalidParameter on anything else (no short forms, no leading zeros). */
export function parseIp(text: string): number {
  const bytes = IPV4.exec(text);
  let value = bytes === null ? NaN : 0;
  // Placement reads the addresses of every live task: no array is made of the four.
  for (let n = 1; n <= 4; n++) value = Number(bytes?.[n]) > 255 ? NaN : value * 256 + Number(bytes?.[n]);
  if (Number.isNaN(value)) throw new Fault('InvalidParameter', `'${text}' is not an IPv4 address`);
  return value;
}

const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

export function formatIp(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** `10.0.0.0/16` -> range. Throws InvalidParameter when malformed or when bits are set behind the prefix. */
export function parseCidr(text: string): Cidr {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const prefix = Number(match?.[2] ?? 99);
  if (match === null || prefix > 32) throw new Fault('InvalidParameter', `'${text}' is not an IPv4 CIDR block`);
  const base = parseIp(match[1] ?? '');
  if (base !== networkOf(base, prefix)) {
    throw new Fault('InvalidParameter', `'${text}' has bits set behind its prefix; ${formatIp(networkOf(base, prefix))}/${prefix} has not`);
  }
  return { base, prefix };
}

export function formatCidr(range: Cidr): string {
  return `${formatIp(range.base)}/${range.prefix}`;
}

/** The range of this prefix that an address lies in, by its base. */
export function networkOf(address: number, prefix: number): number {
  const size = 2 ** (32 - prefix);
  return address - (address % size);
}

/** How many addresses a range has. */
export function sizeOf(range: Cidr): number {
  return 2 ** (32 - range.prefix);
}

export function lastOf(range: Cidr): number {
  return range.base + sizeOf(range) - 1;
}

export function containsIp(range: Cidr, address: number): boolean {
  return address >= range.base && address <= lastOf(range);
}

export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  return inner.base >= outer.base && lastOf(inner) <= lastOf(outer);
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.base <= lastOf(b) && b.base <= lastOf(a);
}

/** The first `count` ranges of `prefix` inside `range`, in order. Throws InvalidParameter when they don't fit. */
export function cutInto(range: Cidr, prefix: number, count: number): Cidr[] {
  if (prefix < range.prefix || prefix > 32 || count > 2 ** (prefix - range.prefix)) {
    throw new Fault('InvalidParameter', `${formatCidr(range)} has no ${count} ranges of /${prefix}`);
  }
  return Array.from({ length: count }, (_, index) => ({ base: range.base + index * 2 ** (32 - prefix), prefix }));
}

/** A subnet's gateway: its first address after the network's own. */
export function gatewayOf(subnet: Cidr): number {
  return subnet.base + 1;
}

/** First and last address that may be given to a task. */
export function usableIn(subnet: Cidr): { first: number; last: number } {
  return { first: subnet.base + RESERVED_AT_START, last: lastOf(subnet) - RESERVED_AT_END };
}

export function usableCount(subnet: Cidr): number {
  return Math.max(0, sizeOf(subnet) - RESERVED_AT_START - RESERVED_AT_END);
}

/**
 * The next free address of a subnet after `last` (or from the start), going round once; null when the subnet is full. Going round
 * keeps a stopped task's address unused for as long as possible.
 */
export function nextFreeIp(subnet: Cidr, taken: ReadonlySet<number>, last: number | null): number | null {
  const { first, last: end } = usableIn(subnet);
  if (end < first) return null;
  const start = last === null || last < first || last >= end ? first : last + 1;
  for (let step = 0, address = start; step <= end - first; step++, address = address >= end ? first : address + 1) {
    if (!taken.has(address)) return address;
  }
  return null;
}

/** Private ranges (RFC 1918) cut into /16s: 10.0.0.0/8 first, then 172.16.0.0/12. */
export const vpcCandidates: readonly Cidr[] = [
  ...cutInto({ base: parseIp('10.0.0.0'), prefix: 8 }, 16, 256),
  ...cutInto({ base: parseIp('172.16.0.0'), prefix: 12 }, 16, 16),
];

/**
 * A /16 for a VPC that overlaps none of `occupied` (CIDR text: the machine's own addresses and routes, and the VPCs that are there
 * already). `seed` decides where the search begins, so that berths side by side on a machine rarely choose the same range, and one
 * berth always makes the same choice. Throws LimitExceeded when every range is taken.
 */
export function chooseVpcCidr(occupied: string[], seed: number): string {
  // A default route is a way out, not a range in use.
  const taken = occupied.map(parseCidrLoosely).filter((range) => range.prefix > 0);
  const count = vpcCandidates.length;
  const start = ((Math.trunc(seed) % count) + count) % count;
  // 139 has no divisor in common with the number of candidates (272), so the walk visits each of them once, neighbours far apart.
  for (let step = 0; step < count; step++) {
    const candidate = vpcCandidates[(start + step * 139) % count];
    if (candidate !== undefined && !taken.some((range) => overlaps(range, candidate))) return formatCidr(candidate);
  }
  throw new Fault('LimitExceeded', 'no private /16 range is left for a VPC on this machine: all of 10.0.0.0/8 and 172.16.0.0/12 is in use');
}

/** As the kernel lists routes and addresses: bits behind the prefix are dropped, a bare address is a /32. */
export function parseCidrLoosely(text: string): Cidr {
  const [address = '', prefixText = '32'] = text.split('/');
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : 99;
  if (prefix > 32) throw new Fault('InvalidParameter', `'${text}' is not an IPv4 range`);
  return { base: networkOf(parseIp(address), prefix), prefix };
}
