/** What the balancer's loop reads of the store. */
import type { TrafficRecords } from '#balancer/desired.ts';
import type { VpcRecord } from '#domain/records.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { VpcAddresses } from '#link/operations.ts';
import type { ReadTx } from '#store/types.ts';

export type TrafficSnapshot = TrafficRecords & {
  endpointTasks: TaskRecord[];
  /** Those of load balancers. */
  vpcs: VpcRecord[];
};

export async function readTraffic(tx: ReadTx): Promise<TrafficSnapshot> {
  const loadBalancers = await tx.loadBalancers.list({});
  const wanted = new Map(loadBalancers.map(({ key, desired }) => [desired.vpcId, key]));
  const vpcs: VpcRecord[] = [];
  for (const [id, { account, region }] of wanted) {
    const vpc = await tx.vpcs.get({ account, region, id });
    if (vpc !== undefined) vpcs.push(vpc);
  }
  return {
    loadBalancers,
    vpcs,
    listeners: await tx.listeners.list({}),
    rules: await tx.listenerRules.list({}),
    groups: await tx.targetGroups.list({}),
    targets: await tx.targets.list({}),
    endpointTasks: await tx.tasks.endpoints(),
  };
}

/** As a host is told: every address, with the ports that something listens on. */
export function addressesOf({
  loadBalancers,
  listeners,
  vpcs,
}: Pick<TrafficSnapshot, 'loadBalancers' | 'listeners' | 'vpcs'>): VpcAddresses[] {
  const ports = Map.groupBy(listeners, (listener) => listener.desired.loadBalancerId);
  return vpcs.flatMap((vpc) => {
    const addresses = loadBalancers.flatMap(({ desired, observed }) => {
      if (desired.vpcId !== vpc.key.id || observed.ip === null) return [];
      const open = (ports.get(desired.id) ?? []).map((listener) => listener.desired.port).toSorted((a, b) => a - b);
      return [{ ip: observed.ip, ports: open }];
    });
    return addresses.length === 0 ? [] : [{ vpcId: vpc.key.id, cidr: vpc.cidr, addresses }];
  });
}
