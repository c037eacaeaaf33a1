/** The weights that a deployment gives to the target groups of a listener or of a rule. Writer of their observed columns. */
import { forwardWeights, listenerArn, ruleArn } from '#domain/load-balancer.ts';
import type { ListenerAction, ListenerRecord, RuleRecord, TrafficShift } from '#domain/load-balancer.ts';
import type { ManagedResources, ServiceKey, ServiceRecord } from '#domain/service.ts';
import type { ServicePlan } from '#plan/service/types.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';

type Found = { listener: ListenerRecord; rule: null } | { listener: ListenerRecord; rule: RuleRecord };
export type PendingShift = Found & { shift: TrafficShift };

/** Those of a plan that aren't in force yet. A listener or rule that is gone has no traffic to shift. */
export async function pendingShifts(
  tx: ReadTx,
  { key, desired }: Pick<ServiceRecord, 'key' | 'desired'>,
  shifts: ServicePlan['shifts'],
  now: number,
): Promise<PendingShift[]> {
  const pending: PendingShift[] = [];
  for (const { ruleArn: arn, weights } of shifts) {
    const found = await find(tx, key, arn);
    if (found === undefined) continue;
    const all = [found, ...(await twins(tx, key, found, desired.managed))];
    for (const one of all) if (!inForce(one, weights)) pending.push({ ...one, shift: { weights, at: now } });
  }
  return pending;
}

/** An Express service has the same rule on the listeners for HTTP and for HTTPS; the deployment knows one of them. */
async function twins(tx: ReadTx, key: ServiceKey, found: Found, managed: ManagedResources | undefined): Promise<Found[]> {
  if (managed === undefined || !managed.rules.some((rule) => rule.id === found.rule?.key.id)) return [];
  const { account, region } = key;
  const { loadBalancer } = managed;
  const others: Found[] = [];
  for (const { listener: id, id: ruleId } of managed.rules) {
    if (ruleId === found.rule?.key.id) continue;
    const listener = await tx.listeners.get({ account, region, loadBalancer, id });
    const rule = await tx.listenerRules.get({ account, region, loadBalancer, listener: id, id: ruleId });
    if (listener !== undefined && rule !== undefined) others.push({ listener, rule });
  }
  return others;
}

export async function writeShift(tx: WriteTx, { listener, rule, shift }: PendingShift): Promise<void> {
  if (rule === null) await tx.listeners.setObserved(listener.key, { ...listener.observed, shift }, listener.revision);
  else await tx.listenerRules.setObserved(rule.key, { ...rule.observed, shift }, rule.revision);
}

/** By the ARN of a rule, of a listener's default rule or of the listener itself. */
async function find(tx: ReadTx, { account, region }: ServiceKey, arn: string): Promise<Found | undefined> {
  const match = /:listener(-rule)?\/(?:app|net)\/([^/]+)\/[0-9a-f]{16}\/([0-9a-f]{16})(?:\/([0-9a-f]{16}))?$/.exec(arn);
  const [, , loadBalancer, id, ruleId] = match ?? [];
  if (loadBalancer === undefined || id === undefined) return undefined;
  const listener = await tx.listeners.get({ account, region, loadBalancer, id });
  if (listener === undefined) return undefined;
  if (ruleId === undefined || ruleId === listener.desired.defaultRuleId) {
    const own = [listenerArn(listener), ruleArn(listener, listener.desired.defaultRuleId)];
    return own.includes(arn) ? { listener, rule: null } : undefined;
  }
  const rule = await tx.listenerRules.get({ account, region, loadBalancer, listener: id, id: ruleId });
  return rule === undefined || ruleArn(listener, ruleId) !== arn ? undefined : { listener, rule };
}

function inForce({ listener, rule }: Found, weights: Record<string, number>): boolean {
  const actions = rule === null ? listener.desired.defaultActions : rule.desired.actions;
  const { modifiedAt } = (rule ?? listener).desired;
  const { shift } = (rule ?? listener).observed;
  const forward = actions.find((action): action is Extract<ListenerAction, { type: 'forward' }> => action.type === 'forward');
  if (forward === undefined) return true;
  const present = new Map(forwardWeights(forward, modifiedAt, shift).map(({ arn, weight }) => [arn, weight]));
  return Object.entries(weights).every(([arn, weight]) => present.get(arn) === weight);
}
