/** Keeps so many tasks of one revision (or task set) alive, independent of all others: blue and green, and task sets. */
import { throttled } from './back-off.ts';
import type { Draft } from './draft.ts';
import type { Judged } from './health.ts';
import { launch } from './launch.ts';
import { budgetOf, countOf } from './rolling.ts';
import { stopSurplus } from './scale-in.ts';
import { stopUnhealthy } from './unhealthy.ts';

export type Keeping = {
  revisionId: string;
  taskSetId?: string;
  tasks: readonly Judged[];
  goal: number;
  /** How many may be under way at most. */
  allowed: number;
};

/** The service's percentages hold for the goal. */
export function keep(draft: Draft, { revisionId, taskSetId, tasks, goal, allowed }: Keeping): void {
  const { minimumHealthyPercent, maximumPercent } = draft.snapshot.service.desired.deployment;
  const max = Math.max(goal, Math.floor((goal * maximumPercent) / 100));
  const min = Math.min(goal, Math.ceil((goal * minimumHealthyPercent) / 100));
  const staying = countOf(tasks, 'starting', 'unproven', 'healthy');
  const need = Math.max(0, Math.min(goal, allowed) - staying);
  const waits = need > 0 && throttled(draft);
  const room = Math.max(0, max - tasks.length);
  const starting = waits ? 0 : Math.min(need, room);
  launch(draft, revisionId, starting, tasks, taskSetId ?? null);
  const good = tasks.filter(({ standing }) => standing !== 'unhealthy');
  stopSurplus(draft, good, staying - goal, budgetOf(tasks, min));
  const stuck = need > 0 && !waits && room === 0 && countOf(tasks, 'going') === 0;
  stopUnhealthy(draft, tasks, goal, stuck);
}
