/** Which of several subnets a task goes to. */
import { parseCidr, usableCount } from './cidr.ts';
import type { SubnetRecord } from './records.ts';

/** The subnet with the fewest tasks among those with a free address, so that tasks spread over zones. */
export function subnetWithRoom(subnets: readonly SubnetRecord[], slots: readonly { subnetId: string }[]): SubnetRecord | undefined {
  const taken = new Map(subnets.map((subnet) => [subnet.key.id, 0]));
  for (const slot of slots) {
    const count = taken.get(slot.subnetId);
    if (count !== undefined) taken.set(slot.subnetId, count + 1);
  }
  const used = (subnet: SubnetRecord) => taken.get(subnet.key.id) ?? 0;
  const open = subnets.filter((subnet) => used(subnet) < usableCount(parseCidr(subnet.cidr)));
  return open.reduce<SubnetRecord | undefined>(
    (best, subnet) => (best === undefined || used(subnet) < used(best) ? subnet : best),
    undefined,
  );
}
