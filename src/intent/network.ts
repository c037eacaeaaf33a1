/** Where a task's interface goes: checking the subnets and security groups of a wish. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';

export type NetworkWish = { subnetIds: string[]; securityGroupIds: string[]; publicIp: boolean };
export type ResolvedNetwork = { vpcId: string; subnets: SubnetRecord[]; securityGroupIds: string[] };

/** All subnets of one VPC; without security groups the VPC's default one. Throws InvalidParameter with AWS's texts. */
export async function resolveNetwork(tx: ReadTx, scope: Scope, wish: NetworkWish): Promise<ResolvedNetwork> {
  assertCounts(wish);
  const subnets: SubnetRecord[] = [];
  for (const id of new Set(wish.subnetIds)) {
    const subnet = await tx.subnets.get({ ...scope, id });
    if (subnet === undefined) {
      throw new Fault(
        'InvalidParameter',
        `Error retrieving subnet information for [${clip(id)}]: The subnet ID '${clip(id)}' does not exist (ErrorCode: InvalidSubnetID.NotFound)`,
      );
    }
    subnets.push(subnet);
  }
  const vpcId = subnets[0]?.vpcId ?? '';
  if (subnets.some((subnet) => subnet.vpcId !== vpcId)) throw new Fault('InvalidParameter', 'subnets can be in at most one VPC.');
  return { vpcId, subnets, securityGroupIds: await resolveGroups(tx, scope, vpcId, wish.securityGroupIds) };
}

function assertCounts(wish: NetworkWish): void {
  if (wish.subnetIds.length === 0) throw new Fault('InvalidParameter', 'subnets can not be empty.');
  if (wish.subnetIds.length > limits.subnetsPerTask) {
    throw new Fault('InvalidParameter', `subnets can have at most ${limits.subnetsPerTask} items.`);
  }
  if (wish.securityGroupIds.length > limits.securityGroupsPerTask) {
    throw new Fault('InvalidParameter', `securityGroups can have at most ${limits.securityGroupsPerTask} items.`);
  }
}

async function resolveGroups(tx: ReadTx, scope: Scope, vpcId: string, ids: string[]): Promise<string[]> {
  if (ids.length === 0) {
    const all = await tx.securityGroups.list(scope);
    return all.filter((group) => group.vpcId === vpcId && group.isDefault).map((group) => group.key.id);
  }
  for (const id of ids) {
    const group = await tx.securityGroups.get({ ...scope, id });
    if (group === undefined) {
      throw new Fault(
        'InvalidParameter',
        `Error retrieving security group information for [${clip(id)}]: The security group '${clip(id)}' does not exist (ErrorCode: InvalidGroup.NotFound)`,
      );
    }
    if (group.vpcId !== vpcId) {
      throw new Fault('InvalidParameter', `Security Group ${id} does not appear to belong to the same VPC as the input subnets.`);
    }
  }
  return [...new Set(ids)];
}
