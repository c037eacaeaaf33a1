/** VPCs: made with a main route table and a default security group, gone with them. */
import { isFault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { derivedId, isMain } from '#domain/network.ts';
import type { VpcAttributes } from '#domain/network.ts';
import type { VpcRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import { putMainTable, putSecurityGroup } from './ec2-defaults.ts';
import { dependencyViolation, ec2Fault, vpcOf } from './ec2-faults.ts';
import { newVpcRange } from './ec2-ranges.ts';
import { deleteGroupIn } from './ec2-security-groups.ts';
import type { IntentDeps } from './types.ts';

/** Throws InvalidVpc.Range, VpcLimitExceeded. */
export async function createVpc(deps: IntentDeps, scope: Scope, wish: { cidr: string; tags: Tag[] }): Promise<VpcRecord> {
  await claimFor(deps, await deps.store.read((tx) => newVpcRange(tx, wish.cidr)));
  return await deps.store.write(async (tx) => {
    const cidr = await newVpcRange(tx, wish.cidr);
    if ((await tx.vpcs.list(scope)).length >= limits.vpcsPerRegion) {
      throw ec2Fault(
        'VpcLimitExceeded',
        `The maximum number of VPCs has been reached: ${limits.vpcsPerRegion} in a region.`,
        'LimitExceeded',
      );
    }
    const id = `vpc-${hexId(deps.random, 17)}`;
    const vpc = await tx.vpcs.put({ key: { ...scope, id }, cidr, isDefault: false, tags: wish.tags }, 0);
    await putMainTable(tx, vpc, null);
    await putSecurityGroup(tx, {
      key: { ...scope, id: derivedId('sg', id) },
      vpcId: id,
      name: 'default',
      description: 'default VPC security group',
      isDefault: true,
      tags: [],
    });
    return vpc;
  });
}

/** Throws InvalidVpc.Range when another berth of a host's machine has the range; while no host is there, that shows with its first task. */
async function claimFor({ ranges }: IntentDeps, cidr: string): Promise<void> {
  try {
    await ranges?.claim(cidr);
  } catch (error) {
    if (isFault(error, 'Conflict')) throw ec2Fault('InvalidVpc.Range', `The CIDR '${cidr}' can't be had: ${error.message}`);
    if (!isFault(error, 'Unavailable')) throw error;
  }
}

/** Throws DependencyViolation while anything is in it, OperationNotPermitted for the default VPC. */
export async function deleteVpc(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const vpc = await vpcOf(tx, scope, id);
    if (vpc.isDefault) {
      throw ec2Fault(
        'OperationNotPermitted',
        `The vpc '${id}' is the region's default one, which berth can't do without: it can't be deleted.`,
      );
    }
    const why = await vpcDependant(tx, scope, id);
    if (why !== undefined) throw dependencyViolation('vpc', id, why);
    for (const group of await tx.securityGroups.list(scope)) if (group.vpcId === id) await deleteGroupIn(tx, group);
    for (const table of await tx.routeTables.list(scope)) if (table.vpcId === id) await tx.routeTables.delete(table.key);
    await tx.vpcs.delete(vpc.key);
  });
}

async function vpcDependant(tx: ReadTx, scope: Scope, id: string): Promise<string | undefined> {
  const of = <T extends { vpcId: string | null }>(rows: T[]) => rows.filter((row) => row.vpcId === id);
  const [subnet] = of(await tx.subnets.list(scope));
  if (subnet !== undefined) return `the subnet ${subnet.key.id}`;
  const [gateway] = of(await tx.internetGateways.list(scope));
  if (gateway !== undefined) return `the internet gateway ${gateway.key.id}`;
  const table = of(await tx.routeTables.list(scope)).find((row) => !isMain(row));
  if (table !== undefined) return `the route table ${table.key.id}`;
  const group = of(await tx.securityGroups.list(scope)).find((row) => !row.isDefault);
  if (group !== undefined) return `the security group ${group.key.id}`;
  // Tasks and load balancers are in subnets, which are gone first; a task may outlive its subnet's last look.
  const balancer = (await tx.loadBalancers.list(scope)).find((lb) => lb.desired.vpcId === id);
  return balancer === undefined ? undefined : `the load balancer ${balancer.key.name}`;
}

export async function modifyVpcAttributes(deps: IntentDeps, scope: Scope, id: string, change: Partial<VpcAttributes>): Promise<void> {
  await deps.store.write(async (tx) => {
    const vpc = await vpcOf(tx, scope, id);
    await tx.vpcs.put({ ...vpc, attributes: { ...vpc.attributes, ...change } }, vpc.revision);
  });
}
