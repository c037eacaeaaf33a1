/** Wishes about the targets of a group. Their health is the balancer's to say. */
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { containsIp, parseCidr, parseIp } from '#domain/cidr.ts';
import { elbFault } from '#domain/elb-fault.ts';
import { newTargetObserved, type TargetGroupRecord, type TargetRecord } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import { targetGroupOf } from './elb-lookup.ts';
import type { IntentDeps } from './types.ts';

/** `port` undefined: the group's. */
export type TargetWish = { id: string; port?: number | undefined };

/** All or none. A target that drains is taken back as a new one; one that is there stays as it is. */
export async function registerTargets(deps: IntentDeps, scope: Scope, groupArn: string, wishes: TargetWish[]): Promise<void> {
  if (wishes.length === 0) throw elbFault('ValidationError', 'At least one target must be specified');
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    const group = await targetGroupOf(tx, scope, groupArn);
    const vpc = await tx.vpcs.get({ ...scope, id: group.desired.vpcId });
    const subnets = await tx.subnets.list(scope);
    const zoneOf = (address: number) =>
      subnets.find((subnet) => subnet.vpcId === group.desired.vpcId && containsIp(parseCidr(subnet.cidr), address))?.zone ?? null;
    for (const wish of wishes) {
      const address = targetAddress(group, vpc?.cidr, wish);
      const key = keyOf(scope, group, wish);
      const present = await tx.targets.get(key);
      if (present === undefined) {
        const desired = { registeredAt: now, deregisteredAt: null, zone: zoneOf(address), taskId: null };
        await tx.targets.insert(key, desired, newTargetObserved(now));
      } else if (present.desired.deregisteredAt !== null) {
        await tx.targets.setDesired(key, { ...present.desired, registeredAt: now, deregisteredAt: null }, present.revision);
      }
    }
    const count = (await tx.targets.list({ ...scope, group: group.desired.id })).length;
    if (count > limits.targetsPerGroup) {
      throw elbFault('TooManyTargets', `You have reached the limit of ${limits.targetsPerGroup} targets of a target group`);
    }
  });
}

/** They drain, then go. Those that aren't registered are no error, as in AWS. */
export async function deregisterTargets(deps: IntentDeps, scope: Scope, groupArn: string, wishes: TargetWish[]): Promise<void> {
  if (wishes.length === 0) throw elbFault('ValidationError', 'At least one target must be specified');
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    const group = await targetGroupOf(tx, scope, groupArn);
    for (const wish of wishes) {
      assertTargetId(group, wish);
      const target = await tx.targets.get(keyOf(scope, group, wish));
      if (target === undefined || target.desired.deregisteredAt !== null) continue;
      await tx.targets.setDesired(target.key, { ...target.desired, deregisteredAt: now }, target.revision);
    }
  });
}

/** The rows that wishes name, in their order; undefined for one that isn't registered. Throws InvalidTarget. */
export async function namedTargets(
  tx: ReadTx,
  scope: Scope,
  group: TargetGroupRecord,
  wishes: TargetWish[],
): Promise<{ id: string; port: number; target: TargetRecord | undefined }[]> {
  const named: { id: string; port: number; target: TargetRecord | undefined }[] = [];
  for (const wish of wishes) {
    assertTargetId(group, wish);
    const key = keyOf(scope, group, wish);
    named.push({ id: wish.id, port: key.port, target: await tx.targets.get(key) });
  }
  return named;
}

function keyOf(scope: Scope, group: TargetGroupRecord, wish: TargetWish): TargetRecord['key'] {
  return { ...scope, group: group.desired.id, target: wish.id, port: wish.port ?? group.desired.port };
}

/** The address of a target that may be registered: one of the VPC's own. There are no instances here. */
function targetAddress(group: TargetGroupRecord, cidr: string | undefined, wish: TargetWish): number {
  const address = assertTargetId(group, wish);
  if (address === undefined) throw elbFault('InvalidTarget', `The following targets are not in a running state and cannot be registered: '${clip(wish.id)}'`); // prettier-ignore
  if (cidr === undefined || !containsIp(parseCidr(cidr), address)) {
    throw elbFault('InvalidTarget', `The IP address '${wish.id}' is not within the VPC '${group.desired.vpcId}' (${cidr ?? 'none'})`);
  }
  return address;
}

/** The address, or undefined for an instance id. Throws ValidationError for what can be neither. */
function assertTargetId(group: TargetGroupRecord, { id, port }: TargetWish): number | undefined {
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw elbFault('ValidationError', `Target port '${port}' must be between 1 and 65535`);
  }
  if (group.desired.targetType === 'instance') {
    if (/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) return undefined;
    throw elbFault('ValidationError', `Instance ID '${clip(id)}' is not valid`);
  }
  try {
    return parseIp(id);
  } catch (error) {
    if (!isFault(error)) throw error;
    throw elbFault('ValidationError', `The IP address '${clip(id)}' is not a valid IPv4 address`);
  }
}
