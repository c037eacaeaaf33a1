/** EXTERNAL and CODE_DEPLOY: somebody else deploys, by task sets; each gets its share of the desired count. */
import type { TaskSetRecord } from '#domain/service.ts';
import { steadyEvent } from './events.ts';
import { stopTask } from './draft.ts';
import type { Draft } from './draft.ts';
import { limits } from '#base/limits.ts';
import { allowedByDigests } from './images.ts';
import { keep } from './keep.ts';

/** `ecs-svc/1234` -> `1234`. */
export const revisionIdOf = (taskSetId: string): string => taskSetId.slice(taskSetId.lastIndexOf('/') + 1);

export function planTaskSets(draft: Draft): void {
  const { snapshot, observed } = draft;
  const newest = Math.max(0, ...snapshot.taskSets.map(({ desired }) => desired.createdAt));
  if (observed.startFailures > 0 && newest > (observed.failedAt ?? 0)) Object.assign(observed, { startFailures: 0, nextStartAt: null });
  for (const judged of draft.tasks) {
    if (!snapshot.taskSets.some(({ key }) => key.id === judged.task.taskSetId)) stopTask(draft, judged);
  }
  const steady = snapshot.taskSets.map((taskSet) => planTaskSet(draft, taskSet));
  if (!steady.every(Boolean)) observed.steadyAt = null;
  else observed.steadyAt ??= draft.now;
}

/** Whether it has what it should have. */
function planTaskSet(draft: Draft, { key, desired }: TaskSetRecord): boolean {
  const observed = draft.taskSets.get(key.id);
  if (observed === undefined) return true;
  const revisionId = revisionIdOf(key.id);
  const tasks = draft.tasks.filter(({ task }) => task.taskSetId === key.id);
  const goal = desired.deleted ? 0 : Math.ceil((draft.count * desired.scale) / 100);
  const tries = Math.min(draft.observed.startFailures, limits.serviceDigestTries);
  keep(draft, { revisionId, taskSetId: key.id, tasks, goal, allowed: allowedByDigests(draft, revisionId, tries) });
  if (desired.deleted) observed.status = 'DRAINING';
  const steady = tasks.length === goal && tasks.every(({ standing }) => standing === 'healthy');
  const stability = steady ? 'STEADY_STATE' : 'STABILIZING';
  if (observed.stability !== stability) {
    Object.assign(observed, { stability, stabilityAt: draft.now });
    if (steady && !desired.deleted) draft.events.push(steadyEvent(draft.name, key.id));
  }
  return steady;
}
