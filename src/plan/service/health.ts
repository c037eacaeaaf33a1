/** How a service's task stands: whether it counts towards the healthy ones, or has to be replaced. */
import { limits } from '#base/limits.ts';
import type { ServiceRevisionRecord } from '#domain/service.ts';
import type { PlanTask } from './types.ts';

/**
 * starting: not RUNNING yet; unproven: runs, and may yet turn out either way; going: asked to stop, or on its way to the end by itself.
 */
export type Standing = 'starting' | 'unproven' | 'healthy' | 'unhealthy' | 'going';

export type Judged = {
  task: PlanTask;
  standing: Standing;
  /** Of a healthy one: since when, as far as it is known. */
  healthySince: number | null;
  /** Of an unhealthy one: what it failed. */
  failed: { kind: 'container' } | { kind: 'target'; groupArn: string; reason: string } | null;
  /** When this changes although nothing happens. */
  changesAt: number | null;
};

const begins: readonly PlanTask['status'][] = ['PROVISIONING', 'PENDING', 'ACTIVATING'];
export function judge(task: PlanTask, revision: ServiceRevisionRecord | undefined, graceMs: number, now: number): Judged {
  const plain = (standing: Standing, changesAt: number | null = null): Judged => ({
    task,
    standing,
    healthySince: null,
    failed: null,
    changesAt,
  });
  if (task.desired === 'STOPPED') return plain('going');
  if (begins.includes(task.status)) return plain('starting');
  if (task.status !== 'RUNNING') return plain('going');
  const startedAt = task.startedAt ?? now;
  const failed = failureOf(task);
  if (failed !== null) {
    const graceEnds = startedAt + graceMs;
    return now >= graceEnds ? { ...plain('unhealthy'), failed } : plain('unproven', graceEnds);
  }
  const groups = groupsOf(revision);
  if (groups.length === 0 && !task.checked) {
    const provenAt = startedAt + limits.serviceProvenMs;
    return now >= provenAt ? { ...plain('healthy'), healthySince: provenAt } : plain('unproven', provenAt);
  }
  if (task.checked && task.health !== 'HEALTHY') return plain('unproven');
  const places = task.targets.filter((place) => groups.includes(place.groupArn) && passes(place, revision));
  if (places.length < groups.length) return plain('unproven');
  return { ...plain('healthy'), healthySince: Math.max(startedAt, ...places.map((place) => place.since)) };
}

/**
 * Also a target whose group has no health check, and one that no listener leads to: nothing would ever check it. Where a deployment is to shift
 * traffic to it that is not enough.
 */
function passes({ state, reason }: PlanTask['targets'][number], revision: ServiceRevisionRecord | undefined): boolean {
  if (state === 'healthy' || state === 'unavailable') return true;
  const shifts = revision?.desired.loadBalancers.some((balancer) => balancer.productionRuleArn !== null) ?? false;
  return state === 'unused' && reason === 'Target.NotInUse' && !shifts;
}

/** The target groups that each task of a revision has to be in. */
export function groupsOf(revision: ServiceRevisionRecord | undefined): readonly string[] {
  if (revision === undefined) return [];
  return revision.observed.targetGroupArns ?? revision.desired.loadBalancers.map((balancer) => balancer.targetGroupArn);
}

function failureOf(task: PlanTask): Judged['failed'] {
  if (task.checked && task.health === 'UNHEALTHY') return { kind: 'container' };
  const target = task.targets.find((place) => place.state === 'unhealthy');
  return target === undefined ? null : { kind: 'target', groupArn: target.groupArn, reason: target.reason ?? 'Health checks failed' };
}
