/** EC2's own errors, by the names of "Error codes for the Amazon EC2 API". */
import { Fault } from '#base/fault.ts';
import type { FaultCode } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import type { RouteTableRecord, SecurityGroupRuleRecord } from '#domain/network.ts';
import type { InternetGatewayRecord } from '#domain/network.ts';
import type { SecurityGroupRecord, SubnetRecord, VpcRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { SnapshotRecord, VolumeRecord } from '#domain/volume.ts';
import type { ReadTx } from '#store/types.ts';

export function ec2Fault(errorName: string, message: string, code: FaultCode = 'InvalidParameter'): Fault {
  return new Fault(code, message, { details: { errorName } });
}

export function invalidValue(value: string, parameter: string, wanted: string): Fault {
  return new Fault('InvalidParameter', `Value (${clip(value)}) for parameter ${parameter} is invalid. ${wanted}`);
}

export function notFound(errorName: string, noun: string, id: string): Fault {
  return ec2Fault(errorName, `The ${noun} '${clip(id)}' does not exist`, 'ResourceNotFound');
}

export function dependencyViolation(noun: string, id: string, why: string): Fault {
  return ec2Fault('DependencyViolation', `The ${noun} '${id}' has dependencies and cannot be deleted: ${why}.`, 'Conflict');
}

export async function vpcOf(tx: ReadTx, scope: Scope, id: string): Promise<VpcRecord> {
  const vpc = await tx.vpcs.get({ ...scope, id });
  if (vpc === undefined) throw notFound('InvalidVpcID.NotFound', 'vpc ID', id);
  return vpc;
}

export async function subnetOf(tx: ReadTx, scope: Scope, id: string): Promise<SubnetRecord> {
  const subnet = await tx.subnets.get({ ...scope, id });
  if (subnet === undefined) throw notFound('InvalidSubnetID.NotFound', 'subnet ID', id);
  return subnet;
}

export async function groupOf(tx: ReadTx, scope: Scope, id: string): Promise<SecurityGroupRecord> {
  if (!id.startsWith('sg-')) throw ec2Fault('InvalidGroupId.Malformed', `Invalid id: "${clip(id)}" (expecting "sg-...")`);
  const group = await tx.securityGroups.get({ ...scope, id });
  if (group === undefined) throw notFound('InvalidGroup.NotFound', 'security group', id);
  return group;
}

export async function routeTableOf(tx: ReadTx, scope: Scope, id: string): Promise<RouteTableRecord> {
  const table = await tx.routeTables.get({ ...scope, id });
  if (table === undefined) throw notFound('InvalidRouteTableID.NotFound', 'routeTable ID', id);
  return table;
}

export async function internetGatewayOf(tx: ReadTx, scope: Scope, id: string): Promise<InternetGatewayRecord> {
  const gateway = await tx.internetGateways.get({ ...scope, id });
  if (gateway === undefined) throw notFound('InvalidInternetGatewayID.NotFound', 'internetGateway ID', id);
  return gateway;
}

/** A rule of this group; of any group when `group` is undefined. */
export async function ruleOf(tx: ReadTx, scope: Scope, group: string | undefined, id: string): Promise<SecurityGroupRuleRecord> {
  const rules = await tx.securityGroupRules.list({ ...scope, ...(group === undefined ? {} : { group }), id });
  if (rules[0] === undefined) throw notFound('InvalidSecurityGroupRuleId.NotFound', 'security group rule ID', id);
  return rules[0];
}

export async function volumeOf(tx: ReadTx, scope: Scope, id: string): Promise<VolumeRecord> {
  const volume = await tx.volumes.get({ ...scope, id });
  if (volume === undefined) throw notFound('InvalidVolume.NotFound', 'volume', id);
  return volume;
}

/** One that was asked to go is gone for all who ask. */
export async function snapshotOf(tx: ReadTx, scope: Scope, id: string): Promise<SnapshotRecord> {
  const snapshot = await tx.snapshots.get({ ...scope, id });
  if (snapshot === undefined || snapshot.desired.deletedAt !== null) throw notFound('InvalidSnapshot.NotFound', 'snapshot', id);
  return snapshot;
}
