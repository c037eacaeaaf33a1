/** Subnets of a VPC. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { zonesOf } from '#domain/network.ts';
import type { SubnetAttributes } from '#domain/network.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import { dependencyViolation, ec2Fault, invalidValue, subnetOf, vpcOf } from './ec2-faults.ts';
import { newSubnetRange } from './ec2-ranges.ts';
import type { IntentDeps } from './types.ts';

export type SubnetWish = { vpcId: string; cidr: string; zone: string | undefined; zoneId: string | undefined; tags: Tag[] };

/** Throws InvalidVpcID.NotFound, InvalidSubnet.Range, InvalidSubnet.Conflict, SubnetLimitExceeded. */
export async function createSubnet(deps: IntentDeps, scope: Scope, wish: SubnetWish): Promise<SubnetRecord> {
  return await deps.store.write(async (tx) => {
    const vpc = await vpcOf(tx, scope, wish.vpcId);
    const siblings = (await tx.subnets.list(scope)).filter((subnet) => subnet.vpcId === wish.vpcId);
    const cidr = newSubnetRange(wish.cidr, vpc, siblings);
    const zone = zoneOf(scope, wish);
    if (siblings.length >= limits.subnetsPerVpc) {
      throw ec2Fault(
        'SubnetLimitExceeded',
        `The maximum number of subnets has been reached: ${limits.subnetsPerVpc} in a VPC.`,
        'LimitExceeded',
      );
    }
    const key = { ...scope, id: `subnet-${hexId(deps.random, 17)}` };
    return await tx.subnets.put({ key, vpcId: wish.vpcId, cidr, zone: zone.name, zoneId: zone.id, isDefault: false, tags: wish.tags }, 0);
  });
}

function zoneOf(scope: Scope, wish: SubnetWish): { name: string; id: string } {
  const zones = zonesOf(scope.region);
  const found = zones.find(
    ({ name, id }) => (wish.zone === undefined || wish.zone === name) && (wish.zoneId === undefined || wish.zoneId === id),
  );
  if (found !== undefined) return found;
  const wanted = `Subnets can currently only be created in the following availability zones: ${zones.map(({ name }) => name).join(', ')}.`;
  throw invalidValue(wish.zone ?? wish.zoneId ?? '', wish.zone === undefined ? 'availabilityZoneId' : 'availabilityZone', wanted);
}

/** Throws DependencyViolation while a task or a load balancer is in it. Its association with a route table goes with it. */
export async function deleteSubnet(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const subnet = await subnetOf(tx, scope, id);
    const why = await subnetDependant(tx, scope, id);
    if (why !== undefined) throw dependencyViolation('subnet', id, why);
    for (const table of await tx.routeTables.list(scope)) {
      const associations = table.associations.filter((association) => association.subnetId !== id);
      if (associations.length < table.associations.length) await tx.routeTables.put({ ...table, associations }, table.revision);
    }
    await tx.subnets.delete(subnet.key);
  });
}

async function subnetDependant(tx: ReadTx, scope: Scope, id: string): Promise<string | undefined> {
  const task = (await tx.tasks.slots()).find((slot) => slot.subnetId === id);
  if (task !== undefined) return `the network interface of the task ${task.id}`;
  const balancer = (await tx.loadBalancers.list(scope)).find((lb) => lb.desired.subnetIds.includes(id) || lb.observed.subnetId === id);
  return balancer === undefined ? undefined : `the load balancer ${balancer.key.name}`;
}

export async function modifySubnetAttributes(deps: IntentDeps, scope: Scope, id: string, change: Partial<SubnetAttributes>): Promise<void> {
  await deps.store.write(async (tx) => {
    const subnet = await subnetOf(tx, scope, id);
    await tx.subnets.put({ ...subnet, attributes: { ...subnet.attributes, ...change } }, subnet.revision);
  });
}
