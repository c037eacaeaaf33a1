/** Checks of the target groups, listeners and rules that a service names, against those that there are. */
import { Fault } from '#base/fault.ts';
import { listenerArn, parseTargetGroupArn, ruleArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { ListenerAction, ListenerRecord, RuleRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { ServiceLoadBalancer } from '#domain/service.ts';
import type { ReadTx } from '#store/types.ts';

/** Throws InvalidParameter with AWS's texts. Tasks on Fargate have an address of their own, so their groups must be of type ip. */
export async function assertLoadBalancers(
  tx: ReadTx,
  scope: Scope,
  vpcId: string,
  balancers: readonly ServiceLoadBalancer[],
): Promise<void> {
  if (balancers.length === 0) return;
  const listeners = await tx.listeners.list({ account: scope.account, region: scope.region });
  const rules = await tx.listenerRules.list({ account: scope.account, region: scope.region });
  const named = groupsOf([
    ...listeners.flatMap((listener) => listener.desired.defaultActions),
    ...rules.flatMap((rule) => rule.desired.actions),
  ]);
  for (const balancer of balancers) {
    await assertGroup(tx, scope, vpcId, balancer.targetGroupArn);
    if (!named.has(balancer.targetGroupArn)) {
      throw refuse(`The target group with targetGroupArn ${balancer.targetGroupArn} does not have an associated load balancer.`);
    }
    if (balancer.alternateTargetGroupArn !== null) await assertGroup(tx, scope, vpcId, balancer.alternateTargetGroupArn);
    const known = new Set([...listeners.map(listenerArn), ...arnsOfRules(listeners, rules)]);
    for (const arn of [balancer.productionRuleArn, balancer.testRuleArn]) {
      if (arn !== null && !known.has(arn)) throw refuse(`The listener rule '${clip(arn, 200)}' does not exist.`);
    }
  }
}

async function assertGroup(tx: ReadTx, scope: Scope, vpcId: string, arn: string): Promise<TargetGroupRecord> {
  const parsed = parseTargetGroupArn(arn);
  const { account, region } = scope;
  const group = parsed === undefined ? undefined : await tx.targetGroups.get({ account, region, name: parsed.name });
  if (group === undefined || targetGroupArn(group) !== arn) throw refuse(`The target group '${clip(arn, 200)}' does not exist.`);
  if (group.desired.targetType !== 'ip') {
    throw refuse(
      `The provided target group ${arn} has target type ${group.desired.targetType}, which is incompatible with the awsvpc network mode specified in the task definition.`,
    );
  }
  if (group.desired.vpcId !== vpcId) {
    throw refuse(`The target group ${arn} is in the VPC ${group.desired.vpcId}, and the service's subnets are in ${vpcId}.`);
  }
  return group;
}

function groupsOf(actions: readonly ListenerAction[]): Set<string> {
  return new Set(actions.flatMap((action) => (action.type === 'forward' ? action.groups.map((group) => group.arn) : [])));
}

/** Of rules, and of each listener's default rule. */
function arnsOfRules(listeners: readonly ListenerRecord[], rules: readonly RuleRecord[]): string[] {
  return listeners.flatMap((listener) => [
    ruleArn(listener, listener.desired.defaultRuleId),
    ...rules
      .filter((rule) => rule.key.loadBalancer === listener.key.loadBalancer && rule.key.listener === listener.key.id)
      .map((rule) => ruleArn(listener, rule.key.id)),
  ]);
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
