/** Where a load balancer stands: its subnets, zones and security groups. Throws ELBv2's errors. */
import { limits } from '#base/limits.ts';
import { elbFault } from '#domain/elb-fault.ts';
import type { LoadBalancerType } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';

/** One subnet a zone; an Application Load Balancer has two zones or more. All in one VPC. */
export async function loadBalancerSubnets(
  tx: ReadTx,
  scope: Scope,
  type: LoadBalancerType,
  ids: readonly string[],
): Promise<SubnetRecord[]> {
  const subnets: SubnetRecord[] = [];
  for (const id of new Set(ids)) {
    const subnet = await tx.subnets.get({ ...scope, id });
    if (subnet === undefined) throw elbFault('SubnetNotFound', `The subnet ID '${clip(id)}' does not exist`);
    subnets.push(subnet);
  }
  const zones = new Set(subnets.map((subnet) => subnet.zone));
  if (new Set(ids).size !== ids.length || zones.size !== subnets.length) {
    throw elbFault('InvalidConfigurationRequest', 'A load balancer cannot be attached to multiple subnets in the same Availability Zone');
  }
  if (subnets.length === 0) throw elbFault('ValidationError', 'At least one subnet must be specified');
  if (type === 'application' && zones.size < 2) {
    throw elbFault('ValidationError', 'At least two subnets in two different Availability Zones must be specified');
  }
  if (new Set(subnets.map((subnet) => subnet.vpcId)).size > 1) {
    throw elbFault('InvalidConfigurationRequest', 'The subnets must belong to the same VPC');
  }
  return subnets;
}

/** An Application Load Balancer that names none has the VPC's default group; a Network Load Balancer has none. */
export async function loadBalancerGroups(
  tx: ReadTx,
  scope: Scope,
  at: { type: LoadBalancerType; vpcId: string },
  ids: readonly string[],
): Promise<string[]> {
  if (ids.length === 0) {
    if (at.type === 'network') return [];
    const all = await tx.securityGroups.list(scope);
    return all.filter((group) => group.vpcId === at.vpcId && group.isDefault).map((group) => group.key.id);
  }
  if (ids.length > limits.securityGroupsPerLoadBalancer) {
    throw elbFault('InvalidConfigurationRequest', `A load balancer can have up to ${limits.securityGroupsPerLoadBalancer} security groups`);
  }
  for (const id of ids) {
    const group = await tx.securityGroups.get({ ...scope, id });
    if (group === undefined) throw elbFault('InvalidSecurityGroup', `The security group '${clip(id)}' does not exist`);
    if (group.vpcId !== at.vpcId) {
      throw elbFault('InvalidConfigurationRequest', `The security group '${id}' does not belong to VPC '${at.vpcId}'`);
    }
  }
  return [...new Set(ids)];
}

export async function assertInternetGateway(tx: ReadTx, scope: Scope, vpcId: string): Promise<void> {
  if ((await tx.internetGateways.list(scope)).some((gateway) => gateway.vpcId === vpcId)) return;
  throw elbFault('InvalidSubnet', `VPC ${vpcId} has no internet gateway`);
}
