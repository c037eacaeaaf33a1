/** Which target group the tasks of a revision are registered in. */
import type { ServiceLoadBalancer, ServiceRevisionRecord } from '#domain/service.ts';
import type { Draft } from './draft.ts';

/**
 * Decided once, before its first task: with an alternate group the one that the stable revision doesn't use, else the load balancer's own.
 */
export function groupsFor(draft: Draft, revisionId: string): void {
  const { stableRevisionId } = draft.observed;
  const record = draft.snapshot.revisions.get(revisionId);
  const observed = draft.revisions.get(revisionId);
  if (record === undefined || observed === undefined || observed.targetGroupArns !== null) return;
  const stable = stableRevisionId === null ? undefined : draft.snapshot.revisions.get(stableRevisionId);
  observed.targetGroupArns = record.desired.loadBalancers.map((balancer) => groupFor(balancer, stable));
}

function groupFor(balancer: ServiceLoadBalancer, stable: ServiceRevisionRecord | undefined): string {
  const { targetGroupArn, alternateTargetGroupArn } = balancer;
  if (alternateTargetGroupArn === null) return targetGroupArn;
  return stable?.observed.targetGroupArns?.includes(targetGroupArn) === true ? alternateTargetGroupArn : targetGroupArn;
}
