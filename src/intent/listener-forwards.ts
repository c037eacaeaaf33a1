/** Whether a listener's or a rule's actions may forward where they say. Throws ELBv2's errors. */
import { limits } from '#base/limits.ts';
import { elbFault } from '#domain/elb-fault.ts';
import { assertActions } from '#domain/listener-actions.ts';
import {
  loadBalancerArn,
  type ListenerAction,
  type ListenerRecord,
  type LoadBalancerRecord,
  type TargetGroupRecord,
} from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import { forwardedGroups } from '#domain/target-group-users.ts';
import { findTargetGroup, groupUsers } from './elb-lookup.ts';

type Protocol = ListenerRecord['desired']['protocol'];

const compatible: Record<Protocol, readonly TargetGroupRecord['desired']['protocol'][]> = {
  HTTP: ['HTTP', 'HTTPS'],
  HTTPS: ['HTTP', 'HTTPS'],
  TCP: ['TCP'],
  TLS: ['TCP', 'TLS'],
};

/** Checks the actions whole: what they say, and the target groups that they name. */
export async function assertForwards(
  tx: ReadTx,
  scope: Scope,
  lb: LoadBalancerRecord,
  protocol: Protocol,
  actions: readonly ListenerAction[],
): Promise<void> {
  assertActions(actions, { type: lb.desired.type, protocol });
  const arns = forwardedGroups(actions);
  for (const arn of arns) {
    const group = await findTargetGroup(tx, scope, arn);
    if (group === undefined) throw elbFault('TargetGroupNotFound', `Target groups '${clip(arn, 200)}' not found`);
    assertCompatible(lb, protocol, group, arn);
  }
  if (arns.length > 0) await assertOwnGroups(tx, scope, lb, arns);
}

function assertCompatible(lb: LoadBalancerRecord, protocol: Protocol, { desired: group }: TargetGroupRecord, arn: string): void {
  if (group.vpcId !== lb.desired.vpcId) {
    throw elbFault(
      'InvalidConfigurationRequest',
      `The following target groups are in a different VPC than load balancer '${loadBalancerArn(lb)}': ${arn}`,
    );
  }
  if (!compatible[protocol].includes(group.protocol)) {
    throw elbFault(
      'IncompatibleProtocols',
      `A listener with the protocol '${protocol}' can't forward to the target group '${arn}' with the protocol '${group.protocol}'`,
    );
  }
  if (group.protocolVersion === 'GRPC' && protocol !== 'HTTPS') {
    throw elbFault('InvalidConfigurationRequest', `Listener protocol '${protocol}' is not supported with a target group with the protocol-version 'GRPC'`); // prettier-ignore
  }
}

/** A target group serves one load balancer. */
async function assertOwnGroups(tx: ReadTx, scope: Scope, lb: LoadBalancerRecord, arns: readonly string[]): Promise<void> {
  const users = await groupUsers(tx, scope);
  const elsewhere = arns.filter((arn) => users.get(arn)?.some((user) => user.key.name !== lb.key.name) === true);
  if (elsewhere.length > 0) {
    throw elbFault(
      'TargetGroupAssociationLimit',
      `The following target groups cannot be associated with more than one load balancer: ${elsewhere.join(', ')}`,
    );
  }
  const own = [...users].filter(([, balancers]) => balancers.some((user) => user.key.name === lb.key.name)).map(([arn]) => arn);
  if (new Set([...own, ...arns]).size > limits.targetGroupsPerLoadBalancer) {
    throw elbFault('TooManyTargetGroups', `A load balancer can have up to ${limits.targetGroupsPerLoadBalancer} target groups`);
  }
}
