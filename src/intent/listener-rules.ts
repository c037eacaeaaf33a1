/** Wishes about the rules of a listener. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { elbFault } from '#domain/elb-fault.ts';
import { assertConditions } from '#domain/listener-conditions.ts';
import type { ListenerAction, ListenerRecord, RuleCondition, RuleRecord } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { listenerOf, ruleOf } from './elb-lookup.ts';
import { assertForwards } from './listener-forwards.ts';
import { ownerOf } from './listeners.ts';
import type { IntentDeps } from './types.ts';

export type RuleWish = { priority: number; conditions: RuleCondition[]; actions: ListenerAction[]; tags: Tag[] };
/** A rule with the listener that its ARN is made of; `rule` is null for the default rule. */
export type RuleOfListener = { listener: ListenerRecord; rule: RuleRecord | null };

const PRIORITY_MAX = 50_000;

export async function createRule(deps: IntentDeps, scope: Scope, listenerArn: string, wish: RuleWish): Promise<RuleOfListener> {
  assertPriority(wish.priority);
  assertConditions(wish.conditions);
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const listener = await listenerOf(tx, scope, listenerArn);
    if (listener.desired.loadBalancerType === 'network') {
      throw elbFault('InvalidConfigurationRequest', 'Rules are unsupported for Network Load Balancer listeners');
    }
    const others = await siblings(tx, scope, listener);
    if (others.some((rule) => rule.desired.priority === wish.priority)) throw inUse(wish.priority);
    if (others.length >= limits.rulesPerListener) {
      throw elbFault('TooManyRules', `You have reached the limit of ${limits.rulesPerListener} rules of a listener`);
    }
    await assertForwards(tx, scope, await ownerOf(tx, listener), listener.desired.protocol, wish.actions);
    const key = { ...scope, loadBalancer: listener.key.loadBalancer, listener: listener.key.id, id: hexId(deps.random, 16) };
    return { listener, rule: await tx.listenerRules.insert(key, { ...wish, createdAt: now, modifiedAt: now }, { shift: null }) };
  });
}

export async function modifyRule(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  change: { conditions?: RuleCondition[] | undefined; actions?: ListenerAction[] | undefined },
): Promise<RuleOfListener> {
  if (change.conditions !== undefined) assertConditions(change.conditions);
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const { listener, rule } = await ruleOf(tx, scope, arn);
    if (rule === null) throw elbFault('OperationNotPermitted', `Default rule '${arn}' cannot be modified`);
    if (change.actions !== undefined) {
      await assertForwards(tx, scope, await ownerOf(tx, listener), listener.desired.protocol, change.actions);
    }
    const desired: RuleRecord['desired'] = {
      ...rule.desired,
      conditions: change.conditions ?? rule.desired.conditions,
      actions: change.actions ?? rule.desired.actions,
      modifiedAt: change.actions === undefined ? rule.desired.modifiedAt : now,
    };
    return { listener, rule: await tx.listenerRules.setDesired(rule.key, desired, rule.revision) };
  });
}

export async function deleteRule(deps: IntentDeps, scope: Scope, arn: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const { rule } = await ruleOf(tx, scope, arn);
    if (rule === null) throw elbFault('OperationNotPermitted', `Default rule '${arn}' cannot be deleted`);
    await tx.listenerRules.delete(rule.key);
  });
}

/** All or none; rules that are not named keep theirs. */
export async function setRulePriorities(
  deps: IntentDeps,
  scope: Scope,
  wishes: { arn: string; priority: number }[],
): Promise<RuleOfListener[]> {
  for (const { priority } of wishes) assertPriority(priority);
  return await deps.store.write(async (tx) => {
    const chosen = new Map<string, { listener: ListenerRecord; rule: RuleRecord; priority: number }>();
    for (const { arn, priority } of wishes) {
      const { listener, rule } = await ruleOf(tx, scope, arn);
      if (rule === null) throw elbFault('OperationNotPermitted', `The priority of the default rule '${arn}' cannot be changed`);
      if (chosen.has(rule.key.id)) throw elbFault('ValidationError', `Rule '${arn}' was provided multiple times`);
      chosen.set(rule.key.id, { listener, rule, priority });
    }
    for (const { listener } of chosen.values()) {
      const taken = (await siblings(tx, scope, listener)).map((rule) => chosen.get(rule.key.id)?.priority ?? rule.desired.priority);
      const twice = taken.find((priority, index) => taken.indexOf(priority) !== index);
      if (twice !== undefined) throw inUse(twice);
    }
    const changed: RuleOfListener[] = [];
    for (const { listener, rule, priority } of chosen.values()) {
      changed.push({ listener, rule: await tx.listenerRules.setDesired(rule.key, { ...rule.desired, priority }, rule.revision) });
    }
    return changed;
  });
}

async function siblings(tx: WriteTx, scope: Scope, listener: ListenerRecord): Promise<RuleRecord[]> {
  return await tx.listenerRules.list({ ...scope, loadBalancer: listener.key.loadBalancer, listener: listener.key.id });
}

function assertPriority(priority: number): void {
  if (Number.isInteger(priority) && priority >= 1 && priority <= PRIORITY_MAX) return;
  throw elbFault('ValidationError', `Priority '${priority}' must be between 1 and ${PRIORITY_MAX}`);
}

const inUse = (priority: number) => elbFault('PriorityInUse', `Priority '${priority}' is currently in use`);
