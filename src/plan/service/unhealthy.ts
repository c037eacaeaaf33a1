/** Tasks that fail their health checks: said once, replaced first where there is room, else stopped one at a time. */
import type { Stop } from '#domain/task.ts';
import { containerUnhealthyEvent, targetUnhealthyEvent } from './events.ts';
import { revisionOf, say, stopTask } from './draft.ts';
import type { Draft } from './draft.ts';
import type { Judged } from './health.ts';

export const CONTAINER_REASON = 'Task failed container health checks';
const TARGET_REASON = 'Task failed ELB health checks in ';

/** Whether the scheduler stopped it for its health. */
export const failedChecks = (stop: Stop | null): boolean =>
  stop?.code === 'ServiceSchedulerInitiated' && (stop.reason === CONTAINER_REASON || stop.reason.startsWith(TARGET_REASON));

/**
 * Stops unhealthy tasks of one revision as far as others stand in for them: healthy ones are `goal` already, or the replacement failed too.
 * `stuck`: there is no room for a replacement, so one goes first.
 */
export function stopUnhealthy(draft: Draft, tasks: readonly Judged[], goal: number, stuck: boolean): void {
  const unhealthy = tasks.filter(({ standing }) => standing === 'unhealthy');
  const healthy = tasks.filter(({ standing }) => standing === 'healthy').length;
  const spare = unhealthy.length - Math.max(0, goal - healthy);
  const count = spare > 0 ? spare : stuck && unhealthy.length > 0 ? 1 : 0;
  for (const judged of unhealthy.slice(0, count)) stopForHealth(draft, judged);
}

export function stopForHealth(draft: Draft, judged: Judged): void {
  const { failed, task } = judged;
  if (failed === null) return;
  if (failed.kind === 'container') {
    say(draft, containerUnhealthyEvent(draft.name, task.id));
    stopTask(draft, judged, { code: 'ServiceSchedulerInitiated', reason: CONTAINER_REASON });
    return;
  }
  const wiring = revisionOf(draft, task.revisionId)?.desired.loadBalancers ?? [];
  const port = wiring.find((w) => w.targetGroupArn === failed.groupArn || w.alternateTargetGroupArn === failed.groupArn)?.port ?? 0;
  say(draft, targetUnhealthyEvent(draft.name, port, failed.groupArn, failed.reason));
  stopTask(draft, judged, { code: 'ServiceSchedulerInitiated', reason: `${TARGET_REASON}(target-group ${failed.groupArn})` });
}
