/** Which of several subnets a task goes to. */
import { parseCidr, usableCount } from './cidr.ts';
import type { SubnetRecord } from './records.ts';

/** How many tasks the subnets have, for placing several tasks in a row: `take` counts one more. */
export type SubnetRoom = {
  /** The subnet with the fewest tasks among those with a free address, so that tasks spread over zones. */
  pick(subnets: readonly SubnetRecord[]): SubnetRecord | undefined;
  take(subnetId: string): void;
};

/** `tasks`: those that live. */
export function createSubnetRoom(tasks: readonly { subnetId: string }[]): SubnetRoom {
  const counts = new Map<string, number>();
  const used = ({ key }: SubnetRecord) => counts.get(key.id) ?? 0;
  const take = (id: string) => void counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const { subnetId } of tasks) take(subnetId);
  return {
    pick(subnets) {
      const open = subnets.filter((subnet) => used(subnet) < usableCount(parseCidr(subnet.cidr)));
      return open.reduce<SubnetRecord | undefined>(
        (best, subnet) => (best === undefined || used(subnet) < used(best) ? subnet : best),
        undefined,
      );
    },
    take,
  };
}
