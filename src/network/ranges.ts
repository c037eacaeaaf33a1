/** Which ranges a machine uses itself, and which /16 a VPC of an instance takes so that the two never clash. */
import { formatCidr, networkOf, overlaps, parseAddress, parseCidr } from './cidr.ts';
import type { Cidr } from './cidr.ts';

/** AWS's default VPC. */
const AWS_DEFAULT = '172.31.0.0/16';
const FIRST_SECOND_OCTET = 64;
const LAST_SECOND_OCTET = 191;

/**
 * The /16 ranges that an instance tries, in order: seed 0 (the default state directory) begins with AWS's own default range; any other
 * seed begins somewhere in 10.64.0.0 - 10.191.255.255 and goes round, so that instances side by side rarely meet.
 */
export function candidateRanges(seed: number): string[] {
  const count = LAST_SECOND_OCTET - FIRST_SECOND_OCTET + 1;
  const start = seed % count;
  const tens = Array.from({ length: count }, (_, i) => `10.${FIRST_SECOND_OCTET + ((start + i) % count)}.0.0/16`);
  return seed === 0 ? [AWS_DEFAULT, ...tens] : [...tens, AWS_DEFAULT];
}

/** First candidate that overlaps no range of `occupied`; undefined when all do. */
export function chooseRange(seed: number, occupied: readonly string[]): string | undefined {
  const taken = occupied.map(parseCidr);
  return candidateRanges(seed).find((candidate) => !taken.some((range) => overlaps(range, parseCidr(candidate))));
}

/** As of os.networkInterfaces(). */
export type InterfaceAddresses = Record<string, { family: string; cidr: string | null }[] | undefined>;

/**
 * IPv4 ranges that the machine uses or routes, from the text of /proc/net/route and its interfaces' addresses. The default route and
 * loopback don't count; interfaces for which `own` holds are this instance's uplinks and don't either.
 */
export function occupiedRanges(routeTable: string, interfaces: InterfaceAddresses, own: (name: string) => boolean): string[] {
  const found = new Map<string, Cidr>();
  const add = (range: Cidr) => void found.set(formatCidr(range), range);
  for (const route of parseRoutes(routeTable)) {
    if (!own(route.name) && route.range.prefix > 0) add(route.range);
  }
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (own(name) || name === 'lo') continue;
    for (const { family, cidr } of addresses ?? []) {
      if (family !== 'IPv4' || cidr === null) continue;
      const [address = '', prefix = '32'] = cidr.split('/');
      add(networkOf(parseAddress(address), Number(prefix)));
    }
  }
  return [...found.values()].sort((a, b) => a.base - b.base || a.prefix - b.prefix).map(formatCidr);
}

/** Interface of the default route, from the text of /proc/net/route. */
export function defaultInterface(routeTable: string): string | undefined {
  return parseRoutes(routeTable).find((route) => route.range.prefix === 0 && route.range.base === 0)?.name;
}

/** /proc/net/route: tab-separated; destination and mask are hexadecimal in the machine's byte order (little-endian on all we run on). */
function parseRoutes(table: string): { name: string; range: Cidr }[] {
  const routes: { name: string; range: Cidr }[] = [];
  for (const line of table.split('\n').slice(1)) {
    const [name, destination, , , , , , mask] = line.trim().split(/\s+/);
    if (name === undefined || destination === undefined || mask === undefined) continue;
    const prefix = [...swapped(mask).toString(2)].filter((bit) => bit === '1').length;
    routes.push({ name, range: networkOf(swapped(destination), prefix) });
  }
  return routes;
}

function swapped(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE(0);
}
