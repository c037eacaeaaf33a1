/** Which ranges a machine uses itself: no VPC may take them. */
import { type Cidr, formatCidr, networkOf, parseCidrLoosely } from '#domain/cidr.ts';

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
      add(parseCidrLoosely(cidr));
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
    routes.push({ name, range: { base: networkOf(swapped(destination), prefix), prefix } });
  }
  return routes;
}

function swapped(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE(0);
}
