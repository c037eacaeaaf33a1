/** Wishes about target groups. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { changeTargetGroupAttributes } from '#domain/elb-attributes.ts';
import { elbFault } from '#domain/elb-fault.ts';
import { resolveHealthCheck, type HealthCheckWish } from '#domain/target-health-check.ts';
import type { TargetGroupRecord } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import { findTargetGroup, groupUsers, targetGroupOf } from './elb-lookup.ts';
import { assertElbName, sameTags } from './elb-names.ts';
import { ensureRegionIn } from './region.ts';
import type { IntentDeps } from './types.ts';

type Desired = TargetGroupRecord['desired'];
export type TargetGroupWish = Pick<Desired, 'protocol' | 'protocolVersion' | 'port' | 'vpcId' | 'targetType'> & {
  name: string;
  healthCheck: HealthCheckWish;
  tags: Tag[];
};

/** The same call again gets the same group; one of this name with other settings is DuplicateTargetGroupName. */
export async function createTargetGroup(deps: IntentDeps, scope: Scope, wish: TargetGroupWish): Promise<TargetGroupRecord> {
  const { name, ...settings } = wish;
  assertElbName('target group', name);
  if (!Number.isInteger(wish.port) || wish.port < 1 || wish.port > 65_535) {
    throw elbFault('ValidationError', `Target group port '${wish.port}' must be between 1 and 65535`);
  }
  const now = deps.clock.now();
  const protocolVersion = isHttp(wish.protocol) ? (wish.protocolVersion ?? 'HTTP1') : null;
  if (wish.protocolVersion !== null && protocolVersion === null) {
    throw elbFault(
      'InvalidConfigurationRequest',
      `A protocol version cannot be specified for target groups with the protocol '${wish.protocol}'`,
    );
  }
  const healthCheck = resolveHealthCheck({ ...wish, protocolVersion }, wish.healthCheck);
  const desired: Desired = { ...settings, protocolVersion, healthCheck, id: hexId(deps.random, 16), ipAddressType: 'ipv4', attributes: {}, createdAt: now }; // prettier-ignore
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    if ((await tx.vpcs.get({ ...scope, id: wish.vpcId })) === undefined) {
      throw elbFault('ValidationError', `The VPC ID '${clip(wish.vpcId)}' is not found`);
    }
    const key = { ...scope, name };
    const present = await tx.targetGroups.get(key);
    if (present !== undefined) {
      if (sameGroup(present.desired, desired)) return present;
      throw elbFault('DuplicateTargetGroupName', `A target group with the same name '${name}' exists, but with different settings`);
    }
    if ((await tx.targetGroups.list(scope)).length >= limits.targetGroupsPerRegion) {
      throw elbFault('TooManyTargetGroups', `You have reached the limit of ${limits.targetGroupsPerRegion} target groups`);
    }
    return await tx.targetGroups.insert(key, desired, {});
  });
}

export async function modifyTargetGroup(deps: IntentDeps, scope: Scope, arn: string, wish: HealthCheckWish): Promise<TargetGroupRecord> {
  return await changeTargetGroup(deps, scope, arn, (desired) => ({
    ...desired,
    healthCheck: resolveHealthCheck(desired, wish, desired.healthCheck),
  }));
}

export async function modifyTargetGroupAttributes(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  changes: Record<string, string>,
): Promise<TargetGroupRecord> {
  return await changeTargetGroup(deps, scope, arn, (desired) => ({
    ...desired,
    attributes: changeTargetGroupAttributes(desired, changes),
  }));
}

/** Throws ResourceInUse while a listener or a rule forwards to it; its targets go with it. One that isn't there is no error, as in AWS. */
export async function deleteTargetGroup(deps: IntentDeps, scope: Scope, arn: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const group = await findTargetGroup(tx, scope, arn);
    if (group === undefined) return;
    if ((await groupUsers(tx, scope)).has(arn)) {
      throw elbFault('ResourceInUse', `Target group '${arn}' is currently in use by a listener or a rule`);
    }
    for (const target of await tx.targets.list({ ...scope, group: group.desired.id })) await tx.targets.delete(target.key);
    await tx.targetGroups.delete(group.key);
  });
}

async function changeTargetGroup(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  change: (desired: Desired) => Desired,
): Promise<TargetGroupRecord> {
  return await deps.store.write(async (tx) => {
    const group = await targetGroupOf(tx, scope, arn);
    return await tx.targetGroups.setDesired(group.key, change(group.desired), group.revision);
  });
}

const isHttp = (protocol: string) => protocol === 'HTTP' || protocol === 'HTTPS';

function sameGroup(a: Desired, b: Desired): boolean {
  const settings = ({ protocol, protocolVersion, port, vpcId, targetType, ipAddressType, healthCheck: h }: Desired) =>
    JSON.stringify([
      [protocol, protocolVersion, port, vpcId, targetType, ipAddressType],
      [h.protocol, h.port, h.path, h.intervalSeconds, h.timeoutSeconds, h.healthyThreshold, h.unhealthyThreshold, h.matcher],
    ]);
  return settings(a) === settings(b) && sameTags(a.tags, b.tags);
}
