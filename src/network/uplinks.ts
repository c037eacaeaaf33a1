/** Which uplink (number, interface name, /30) belongs to which VPC of an instance; kept in a file so that a new host agent finds them again. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { type Cidr, containsIp, formatIp, overlaps, parseCidr, parseIp } from '#domain/cidr.ts';
import type { OwnAddress } from './types.ts';

export type Uplink = {
  vpcId: string;
  cidr: string;
  n: number;
  hostIp: string;
  routerIp: string;
  /** The machine's own addresses out of the VPC; none in a file of a former version. */
  addresses?: OwnAddress[];
};

/** The /30s of 169.254.0.0/16, without what RFC 3927 reserves and what clouds serve their metadata from. */
const linkLocal = parseCidr('169.254.0.0/16');
const keptFree = ['169.254.0.0/24', '169.254.169.0/24', '169.254.170.0/24', '169.254.255.0/24'].map(parseCidr);
const SLOTS = 2 ** 14;

/** First /30, from a place that follows from the instance on, that overlaps nothing of `taken`; throws LimitExceeded when none is left. */
export function chooseUplinkRange(instance: string, taken: readonly Cidr[]): Cidr {
  const start = parseInt(instance, 16) % SLOTS;
  for (let step = 0; step < SLOTS; step++) {
    const range = { base: linkLocal.base + ((start + step) % SLOTS) * 4, prefix: 30 };
    if (![...keptFree, ...taken].some((other) => overlaps(other, range))) return range;
  }
  throw new Fault('LimitExceeded', 'No link-local /30 is left on this machine for the uplink of another VPC: remove a VPC first.');
}

export type UplinkTable = {
  all(): Uplink[];
  /** The VPC's uplink, given out and written down the first time. Throws Conflict when it stands with another range. */
  take(vpcId: string, cidr: string): Uplink;
  /** Whether that is a change. */
  setAddresses(vpcId: string, addresses: OwnAddress[]): boolean;
  drop(vpcId: string): void;
};

/**
 * `dir`/uplinks.json, replaced whole, gone with the last VPC. `occupied` lists the IPv4 ranges of the machine's interfaces and routes, asked when a new uplink
 * is needed: link-local ones among them are avoided.
 */
export function openUplinks(dir: string, instance: string, occupied: () => string[]): UplinkTable {
  const path = join(dir, 'uplinks.json');
  const table = new Map(readTable(path).map((uplink) => [uplink.vpcId, uplink]));
  const save = () => {
    if (table.size === 0) return rmSync(path, { force: true });
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, `${JSON.stringify([...table.values()])}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  };
  const add = (vpcId: string, cidr: string): Uplink => {
    const numbers = new Set([...table.values()].map((uplink) => uplink.n));
    let n = 0;
    while (numbers.has(n)) n++;
    const own = [...table.values()].map((uplink) => ({ base: parseIp(uplink.hostIp) - 1, prefix: 30 }));
    const foreign = occupied()
      .map(parseCidr)
      .filter((range) => containsIp(linkLocal, range.base) && range.prefix > linkLocal.prefix);
    const range = chooseUplinkRange(instance, [...own, ...foreign]);
    const uplink = { vpcId, cidr, n, hostIp: formatIp(range.base + 1), routerIp: formatIp(range.base + 2) };
    table.set(vpcId, uplink);
    save();
    return uplink;
  };
  return {
    all: () => [...table.values()],
    take(vpcId, cidr) {
      const uplink = table.get(vpcId) ?? add(vpcId, cidr);
      if (uplink.cidr !== cidr) {
        throw new Fault(
          'Conflict',
          `${vpcId} stands here with the range ${uplink.cidr} and can't be given ${cidr}: stop its tasks and take the platform down first.`,
        );
      }
      return uplink;
    },
    setAddresses(vpcId, addresses) {
      const uplink = table.get(vpcId);
      if (uplink === undefined || JSON.stringify(uplink.addresses ?? []) === JSON.stringify(addresses)) return false;
      table.set(vpcId, { ...uplink, addresses });
      save();
      return true;
    },
    drop(vpcId) {
      if (table.delete(vpcId)) save();
    },
  };
}

function readTable(path: string): Uplink[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Uplink[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
