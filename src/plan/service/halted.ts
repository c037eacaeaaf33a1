/**
 * After a deployment that failed or was stopped, and was not rolled back: its revision starts nothing more, what runs stays. Tasks that are
 * missing are started of the stable revision, so that the service keeps its count where it can.
 */
import { throttled } from './back-off.ts';
import type { Draft } from './draft.ts';
import { launch } from './launch.ts';
import { boundsOf, budgetOf, countOf } from './rolling.ts';
import { stopSurplus } from './scale-in.ts';
import { stopUnhealthy } from './unhealthy.ts';

export function holdStill(draft: Draft): void {
  const { stableRevisionId, targetRevisionId } = draft.observed;
  const { min, max } = boundsOf(draft);
  const staying = countOf(draft.tasks, 'starting', 'unproven', 'healthy');
  const budget = budgetOf(draft.tasks, min);
  const good = draft.tasks.filter(({ standing }) => standing !== 'unhealthy');
  const failedFirst = good.filter(({ task }) => task.revisionId === targetRevisionId);
  const stopped = stopSurplus(draft, failedFirst, staying - draft.count, budget);
  stopSurplus(draft, good, staying - draft.count - stopped, budget);
  const startable = stableRevisionId !== null && stableRevisionId !== targetRevisionId;
  const need = startable ? draft.count - staying : 0;
  const room = max - draft.tasks.length;
  if (startable && need > 0 && room > 0 && !throttled(draft)) {
    const kin = draft.tasks.filter(({ task }) => task.revisionId === stableRevisionId);
    launch(draft, stableRevisionId, Math.min(need, room), kin);
  }
  // With nothing to stand in for them unhealthy tasks stay: they may recover, and nothing would follow them.
  if (startable) stopUnhealthy(draft, draft.tasks, draft.count, need > 0 && room <= 0 && countOf(draft.tasks, 'going') === 0);
}
