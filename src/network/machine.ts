/** What the machine's own network looks like, read from the kernel. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { defaultInterface, occupiedRanges } from './ranges.ts';

/** MTU where the machine has no default route, and the most a task is given: larger frames rarely survive the way out. */
const ETHERNET_MTU = 1500;

/** IPv4 ranges that the machine uses or routes, this instance's own uplinks left out: for HostInfo.occupiedCidrs. */
export function readOccupiedRanges(instance: string): string[] {
  return occupiedRanges(readFileSync('/proc/net/route', 'utf8'), networkInterfaces(), (name) => name.startsWith(`br${instance}`));
}

/** MTU of the interface of the default route, at most 1500. */
export function readMtu(): number {
  const name = defaultInterface(readFileSync('/proc/net/route', 'utf8'));
  if (name === undefined) return ETHERNET_MTU;
  const mtu = Number(readFileSync(`/sys/class/net/${name}/mtu`, 'utf8'));
  return Math.min(ETHERNET_MTU, mtu > 0 ? mtu : ETHERNET_MTU);
}
