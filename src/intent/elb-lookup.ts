/** Finding load balancers and what belongs to them by their ARNs, and who uses a target group. Throws ELBv2's errors. */
import { parseElbArn, type ElbKind, type ElbRef } from '#domain/elb-arn.ts';
import { elbFault, type ElbErrorName } from '#domain/elb-fault.ts';
import { listenerArn, loadBalancerArn, ruleArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { ListenerRecord, LoadBalancerRecord, RuleRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { usersOfGroups } from '#domain/target-group-users.ts';
import type { ReadTx } from '#store/types.ts';

const nouns: Record<ElbKind, { noun: string; plural: string; missing: ElbErrorName }> = {
  'load-balancer': { noun: 'load balancer', plural: 'load balancers', missing: 'LoadBalancerNotFound' },
  'target-group': { noun: 'target group', plural: 'target groups', missing: 'TargetGroupNotFound' },
  listener: { noun: 'listener', plural: 'listeners', missing: 'ListenerNotFound' },
  rule: { noun: 'listener rule', plural: 'rules', missing: 'RuleNotFound' },
};

/** Throws ValidationError for text that is no ARN of this kind; undefined for one of another account or region. */
export function elbRef<K extends ElbKind>(scope: Scope, kind: K, arn: string): Extract<ElbRef, { kind: K }> | undefined {
  const ref = parseElbArn(arn);
  if (ref === undefined || ref.kind !== kind) {
    throw elbFault('ValidationError', `'${clip(arn, 200)}' is not a valid ${nouns[kind].noun} ARN`);
  }
  return ref.account === scope.account && ref.region === scope.region ? (ref as Extract<ElbRef, { kind: K }>) : undefined;
}

export function elbMissing(kind: ElbKind): never {
  throw elbFault(nouns[kind].missing, `One or more ${nouns[kind].plural} not found`);
}

export async function findLoadBalancer(tx: ReadTx, scope: Scope, arn: string): Promise<LoadBalancerRecord | undefined> {
  const ref = elbRef(scope, 'load-balancer', arn);
  const lb = ref === undefined ? undefined : await tx.loadBalancers.get({ ...scope, name: ref.name });
  return lb !== undefined && lb.desired.id === ref?.id && loadBalancerArn(lb) === arn ? lb : undefined;
}

export async function loadBalancerOf(tx: ReadTx, scope: Scope, arn: string): Promise<LoadBalancerRecord> {
  return (await findLoadBalancer(tx, scope, arn)) ?? elbMissing('load-balancer');
}

export async function findTargetGroup(tx: ReadTx, scope: Scope, arn: string): Promise<TargetGroupRecord | undefined> {
  const ref = elbRef(scope, 'target-group', arn);
  const group = ref === undefined ? undefined : await tx.targetGroups.get({ ...scope, name: ref.name });
  return group !== undefined && group.desired.id === ref?.id && targetGroupArn(group) === arn ? group : undefined;
}

export async function targetGroupOf(tx: ReadTx, scope: Scope, arn: string): Promise<TargetGroupRecord> {
  return (await findTargetGroup(tx, scope, arn)) ?? elbMissing('target-group');
}

export async function listenerOf(tx: ReadTx, scope: Scope, arn: string): Promise<ListenerRecord> {
  const ref = elbRef(scope, 'listener', arn);
  const listener = ref === undefined ? undefined : await tx.listeners.get({ ...scope, loadBalancer: ref.loadBalancer, id: ref.id });
  return listener !== undefined && listenerArn(listener) === arn ? listener : elbMissing('listener');
}

/** `rule` is null for the listener's default rule, which stands in the listener. */
export async function ruleOf(tx: ReadTx, scope: Scope, arn: string): Promise<{ listener: ListenerRecord; rule: RuleRecord | null }> {
  const ref = elbRef(scope, 'rule', arn);
  if (ref === undefined) return elbMissing('rule');
  const listener = await tx.listeners.get({ ...scope, loadBalancer: ref.loadBalancer, id: ref.listener });
  if (listener === undefined || ruleArn(listener, ref.id) !== arn) return elbMissing('rule');
  if (listener.desired.defaultRuleId === ref.id) return { listener, rule: null };
  const rule = await tx.listenerRules.get({ ...scope, loadBalancer: ref.loadBalancer, listener: ref.listener, id: ref.id });
  return rule === undefined ? elbMissing('rule') : { listener, rule };
}

/** By target group's ARN, the load balancers whose listeners or rules forward to it. */
export async function groupUsers(tx: ReadTx, scope: Scope): Promise<Map<string, LoadBalancerRecord[]>> {
  return usersOfGroups({
    loadBalancers: await tx.loadBalancers.list(scope),
    listeners: await tx.listeners.list(scope),
    rules: await tx.listenerRules.list(scope),
  });
}
