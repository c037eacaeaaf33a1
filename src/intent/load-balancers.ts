/** Wishes about load balancers themselves. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { changeLoadBalancerAttributes, loadBalancerAttributes } from '#domain/elb-attributes.ts';
import { elbFault, notInBerth } from '#domain/elb-fault.ts';
import { loadBalancerArn, type LoadBalancerRecord, type LoadBalancerType } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { findLoadBalancer, loadBalancerOf } from './elb-lookup.ts';
import { assertElbName, sameSet, sameTags } from './elb-names.ts';
import { assertInternetGateway, loadBalancerGroups, loadBalancerSubnets } from './load-balancer-network.ts';
import { ensureRegionIn } from './region.ts';
import type { IntentDeps } from './types.ts';

export type LoadBalancerWish = {
  name: string;
  type: LoadBalancerType;
  scheme: 'internet-facing' | 'internal';
  ipAddressType: string;
  subnetIds: string[];
  securityGroupIds: string[];
  tags: Tag[];
};

/** The same call again gets the same load balancer; one of this name with other settings is DuplicateLoadBalancerName. */
export async function createLoadBalancer(deps: IntentDeps, scope: Scope, wish: LoadBalancerWish): Promise<LoadBalancerRecord> {
  assertElbName('load balancer', wish.name);
  if (/^internal-/i.test(wish.name)) {
    throw elbFault('ValidationError', `The load balancer name '${clip(wish.name)}' cannot begin with 'internal-'`);
  }
  assertIpAddressType(wish.ipAddressType);
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    const subnets = await loadBalancerSubnets(tx, scope, wish.type, wish.subnetIds);
    const vpcId = subnets[0]?.vpcId ?? '';
    if (wish.scheme === 'internet-facing') await assertInternetGateway(tx, scope, vpcId);
    const desired: LoadBalancerRecord['desired'] = {
      id: hexId(deps.random, 16),
      type: wish.type,
      scheme: wish.scheme,
      ipAddressType: wish.ipAddressType,
      vpcId,
      subnetIds: wish.subnetIds,
      securityGroupIds: await loadBalancerGroups(tx, scope, { type: wish.type, vpcId }, wish.securityGroupIds),
      attributes: {},
      tags: wish.tags,
      createdAt: now,
    };
    const key = { ...scope, name: wish.name };
    const present = await tx.loadBalancers.get(key);
    if (present !== undefined) {
      if (sameLoadBalancer(present.desired, desired)) return present;
      throw elbFault('DuplicateLoadBalancerName', `A load balancer with the same name '${wish.name}' exists, but with different settings`);
    }
    if ((await tx.loadBalancers.list(scope)).length >= limits.loadBalancersPerRegion) {
      throw elbFault('TooManyLoadBalancers', `You have reached the limit of ${limits.loadBalancersPerRegion} load balancers`);
    }
    return await tx.loadBalancers.insert(key, desired, { ip: null, subnetId: null, state: 'provisioning', reason: null });
  });
}

/** Its listeners and rules go with it. One that isn't there is no error, as in AWS. */
export async function deleteLoadBalancer(deps: IntentDeps, scope: Scope, arn: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const lb = await findLoadBalancer(tx, scope, arn);
    if (lb === undefined) return;
    if (loadBalancerAttributes(lb.desired)['deletion_protection.enabled'] === 'true') {
      throw elbFault('OperationNotPermitted', `Load balancer '${arn}' cannot be deleted because deletion protection is enabled`);
    }
    const inside = { ...scope, loadBalancer: lb.key.name };
    for (const rule of await tx.listenerRules.list(inside)) await tx.listenerRules.delete(rule.key);
    for (const listener of await tx.listeners.list(inside)) await tx.listeners.delete(listener.key);
    await tx.loadBalancers.delete(lb.key);
  });
}

export async function setLoadBalancerSubnets(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  subnetIds: string[],
): Promise<LoadBalancerRecord> {
  return await changeLoadBalancer(deps, scope, arn, async (lb, tx) => {
    const subnets = await loadBalancerSubnets(tx, scope, lb.desired.type, subnetIds);
    if (subnets[0]?.vpcId !== lb.desired.vpcId) {
      throw elbFault('InvalidConfigurationRequest', `The subnets do not belong to the VPC '${lb.desired.vpcId}' of the load balancer`);
    }
    return { ...lb.desired, subnetIds };
  });
}

export async function setLoadBalancerSecurityGroups(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  groupIds: string[],
): Promise<LoadBalancerRecord> {
  return await changeLoadBalancer(deps, scope, arn, async (lb, tx) => {
    if (groupIds.length === 0) throw elbFault('InvalidConfigurationRequest', 'At least one security group must be specified');
    if (lb.desired.type === 'network' && lb.desired.securityGroupIds.length === 0) {
      throw elbFault(
        'InvalidConfigurationRequest',
        `You can't set security groups of the Network Load Balancer '${loadBalancerArn(lb)}': it was created without any`,
      );
    }
    return { ...lb.desired, securityGroupIds: await loadBalancerGroups(tx, scope, lb.desired, groupIds) };
  });
}

export async function setLoadBalancerIpAddressType(deps: IntentDeps, scope: Scope, arn: string, type: string): Promise<LoadBalancerRecord> {
  return await changeLoadBalancer(deps, scope, arn, (lb) => {
    assertIpAddressType(type);
    return { ...lb.desired, ipAddressType: type };
  });
}

export async function modifyLoadBalancerAttributes(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  changes: Record<string, string>,
): Promise<LoadBalancerRecord> {
  return await changeLoadBalancer(deps, scope, arn, (lb) => ({
    ...lb.desired,
    attributes: changeLoadBalancerAttributes(lb.desired, changes),
  }));
}

async function changeLoadBalancer(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  change: (lb: LoadBalancerRecord, tx: WriteTx) => LoadBalancerRecord['desired'] | Promise<LoadBalancerRecord['desired']>,
): Promise<LoadBalancerRecord> {
  return await deps.store.write(async (tx) => {
    const lb = await loadBalancerOf(tx, scope, arn);
    return await tx.loadBalancers.setDesired(lb.key, await change(lb, tx), lb.revision);
  });
}

/** Addresses here are IPv4. */
function assertIpAddressType(type: string): void {
  if (type === 'ipv4') return;
  if (type === 'dualstack' || type === 'dualstack-without-public-ipv4') {
    throw notInBerth(`load balancers with the IP address type ${type}: use ipv4`);
  }
  throw elbFault('ValidationError', `The IP address type '${clip(type)}' must be one of ipv4, dualstack, dualstack-without-public-ipv4`);
}

function sameLoadBalancer(a: LoadBalancerRecord['desired'], b: LoadBalancerRecord['desired']): boolean {
  return (
    a.type === b.type &&
    a.scheme === b.scheme &&
    a.ipAddressType === b.ipAddressType &&
    sameSet(a.subnetIds, b.subnetIds) &&
    sameSet(a.securityGroupIds, b.securityGroupIds) &&
    sameTags(a.tags, b.tags)
  );
}
