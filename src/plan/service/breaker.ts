/** The deployment circuit breaker: so many failed tasks of the new revision, and the deployment has failed (ECS DeploymentCircuitBreaker). */
import { limits } from '#base/limits.ts';
import type { DeploymentConfig, ServiceDeploymentObserved } from '#domain/service.ts';
import { LOST_START_REASON, SILENT_START_REASON } from '../host-loss.ts';
import { CAPACITY_REASON } from '../placement.ts';
import { endedAlone } from './back-off.ts';
import { causeEvent, unplacedEvent } from './events.ts';
import { say } from './draft.ts';
import type { Draft } from './draft.ts';
import type { PlanTask } from './types.ts';
import { failedChecks } from './unhealthy.ts';

export { breakerThreshold } from '#domain/breaker.ts';

/** Counts the tasks of the deployment's revision that failed since the last plan, says the cause of the first. Nothing of a rollback is counted. */
export function accountFailures(draft: Draft, observed: ServiceDeploymentObserved, revisionId: string): void {
  for (const task of draft.snapshot.ended) {
    if (task.revisionId !== revisionId) continue;
    if (task.stop?.reason === CAPACITY_REASON) say(draft, unplacedEvent(draft.name, task.stop.reason));
    if (!isFailure(task)) continue;
    observed.failedTasks += 1;
    observed.failureCount += 1;
    draft.observed.failedAt = draft.now;
    sayCause(draft, task);
  }
}

/** A healthy task takes all failures before it off the count. */
export function forgiveFailures(draft: Draft, observed: ServiceDeploymentObserved, revisionId: string, config: DeploymentConfig): void {
  if (!config.circuitBreaker.resetOnHealthyTask || observed.failureCount === 0) return;
  const failedAt = draft.observed.failedAt ?? 0;
  const healed = draft.tasks.some(
    ({ task, healthySince }) => task.revisionId === revisionId && healthySince !== null && healthySince > failedAt,
  );
  if (healed) observed.failureCount = 0;
}

/**
 * It never ran, ended before it could count as healthy, or failed its health checks. A lost host or a lack of room tells nothing of the revision.
 */
function isFailure(task: PlanTask): boolean {
  if (failedChecks(task.stop)) return true;
  if (!endedAlone(task) || task.stop?.code === 'InfrastructureHealth' || task.stop?.code === 'TerminationNotice') return false;
  if ([LOST_START_REASON, SILENT_START_REASON, CAPACITY_REASON].includes(task.stop?.reason ?? '')) return false;
  return task.startedAt === null || (task.stoppedAt ?? task.startedAt) - task.startedAt < limits.serviceProvenMs;
}

/** The cause in a line, unless one with the same cause was said lately. */
function sayCause(draft: Draft, task: PlanTask): void {
  const cause = task.failure ?? (failedChecks(task.stop) ? null : (task.stop?.reason ?? null));
  if (cause === null) return;
  const message = causeEvent(draft.name, task.id, cause);
  const tail = message.slice(message.indexOf(') failed to start: '));
  const since = draft.now - limits.serviceEventRepeatMs;
  const said =
    draft.events.some((event) => event.endsWith(tail)) ||
    draft.snapshot.events.some((event) => event.at > since && event.message.endsWith(tail));
  if (!said) say(draft, message);
}

/** The last failure's cause, for the deployment's status reason. */
export function lastCause(draft: Draft, revisionId: string): string | null {
  const failed = draft.snapshot.ended.filter((task) => task.revisionId === revisionId);
  return failed.findLast((task) => task.failure !== null)?.failure ?? null;
}
