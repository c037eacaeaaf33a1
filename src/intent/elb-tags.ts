/** Tags of load balancers, target groups, listeners and rules. */
import { elbFault } from '#domain/elb-fault.ts';
import { parseElbArn } from '#domain/elb-arn.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { listenerOf, loadBalancerOf, ruleOf, targetGroupOf } from './elb-lookup.ts';
import type { IntentDeps } from './types.ts';

/** All resources or none. Throws TooManyTags and the resources' own NotFound errors. */
export async function tagElbResources(deps: IntentDeps, scope: Scope, arns: string[], tags: Tag[]): Promise<void> {
  await changeAll(deps, scope, arns, (present) => {
    const merged = new Map([...present, ...tags].map((tag) => [tag.key, tag.value]));
    if (merged.size > limits.tagsPerResource) throw elbFault('TooManyTags', `A resource can have up to ${limits.tagsPerResource} tags`);
    return [...merged].map(([key, value]) => ({ key, value }));
  });
}

export async function untagElbResources(deps: IntentDeps, scope: Scope, arns: string[], keys: string[]): Promise<void> {
  await changeAll(deps, scope, arns, (present) => withoutTags(present, keys));
}

export async function listElbTags(tx: ReadTx, scope: Scope, arn: string): Promise<Tag[]> {
  switch (parseElbArn(arn)?.kind) {
    case 'load-balancer':
      return (await loadBalancerOf(tx, scope, arn)).desired.tags;
    case 'target-group':
      return (await targetGroupOf(tx, scope, arn)).desired.tags;
    case 'listener':
      return (await listenerOf(tx, scope, arn)).desired.tags;
    case 'rule':
      return (await ruleOf(tx, scope, arn)).rule?.desired.tags ?? [];
    case undefined:
      throw invalid(arn);
  }
}

async function changeAll(deps: IntentDeps, scope: Scope, arns: string[], change: (present: Tag[]) => Tag[]): Promise<void> {
  await deps.store.write(async (tx) => {
    for (const arn of arns) await changeTags(tx, scope, arn, change);
  });
}

async function changeTags(tx: WriteTx, scope: Scope, arn: string, change: (present: Tag[]) => Tag[]): Promise<void> {
  switch (parseElbArn(arn)?.kind) {
    case 'load-balancer': {
      const lb = await loadBalancerOf(tx, scope, arn);
      await tx.loadBalancers.setDesired(lb.key, { ...lb.desired, tags: change(lb.desired.tags) }, lb.revision);
      return;
    }
    case 'target-group': {
      const group = await targetGroupOf(tx, scope, arn);
      await tx.targetGroups.setDesired(group.key, { ...group.desired, tags: change(group.desired.tags) }, group.revision);
      return;
    }
    case 'listener': {
      const listener = await listenerOf(tx, scope, arn);
      await tx.listeners.setDesired(listener.key, { ...listener.desired, tags: change(listener.desired.tags) }, listener.revision);
      return;
    }
    case 'rule': {
      const { rule } = await ruleOf(tx, scope, arn);
      if (rule === null) {
        throw elbFault('OperationNotPermitted', `The default rule '${clip(arn, 200)}' has no tags of its own: tag its listener`);
      }
      await tx.listenerRules.setDesired(rule.key, { ...rule.desired, tags: change(rule.desired.tags) }, rule.revision);
      return;
    }
    case undefined:
      throw invalid(arn);
  }
}

const invalid = (arn: string) => elbFault('ValidationError', `'${clip(arn, 200)}' is not a valid ARN of a load balancer, target group, listener or rule`); // prettier-ignore
