/** An address out of one of its subnets for each load balancer that has none. Pure. */
import { formatIp, nextFreeIp, parseCidr, parseIp } from '#domain/cidr.ts';
import type { LoadBalancerRecord } from '#domain/load-balancer.ts';
import type { SubnetRecord } from '#domain/records.ts';
import { balancerAddresses } from '#domain/taken-addresses.ts';

export type AddressSnapshot = {
  loadBalancers: readonly LoadBalancerRecord[];
  /** Addresses that tasks and mount targets have. */
  placed: readonly { subnetId: string; ip: string }[];
  /** By id, with the address that was given to a task last. */
  subnets: ReadonlyMap<string, { subnet: SubnetRecord; lastIp: string | undefined }>;
};

export type AddressMove = { loadBalancer: LoadBalancerRecord; ip: string; subnetId: string };

/** First come, first served; one that finds no address waits. */
export function planBalancerAddresses(snapshot: AddressSnapshot): AddressMove[] {
  const taken = new Map<string, Set<number>>();
  for (const { subnetId, ip } of [...snapshot.placed, ...balancerAddresses(snapshot.loadBalancers)]) {
    taken.set(subnetId, (taken.get(subnetId) ?? new Set()).add(parseIp(ip)));
  }
  const waiting = snapshot.loadBalancers
    .filter((lb) => lb.observed.ip === null)
    .toSorted((a, b) => a.desired.createdAt - b.desired.createdAt);
  return waiting.flatMap((loadBalancer) => {
    for (const subnetId of loadBalancer.desired.subnetIds) {
      const known = snapshot.subnets.get(subnetId);
      if (known === undefined) continue;
      const inUse = taken.get(subnetId) ?? new Set<number>();
      const ip = nextFreeIp(parseCidr(known.subnet.cidr), inUse, known.lastIp === undefined ? null : parseIp(known.lastIp));
      if (ip === null) continue;
      taken.set(subnetId, inUse.add(ip));
      return [{ loadBalancer, ip: formatIp(ip), subnetId }];
    }
    return [];
  });
}
