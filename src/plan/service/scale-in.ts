/** Which tasks go first when there are too many. */
import { isProtected, stopTask, wake } from './draft.ts';
import type { Draft } from './draft.ts';
import type { Judged, Standing } from './health.ts';

const firstToGo: readonly Standing[] = ['starting', 'unhealthy', 'unproven', 'healthy'];

/**
 * How far the healthy ones may go down, shared by all that stops tasks in one plan. `healthy`: healthy tasks above the minimum;
 * `serving`: the same with those that run and are not proven yet, which users may depend on.
 */
export type Budget = { healthy: number; serving: number };

/** Stops up to `count` of `tasks` within the budget, protected ones never; how many were stopped. */
export function stopSurplus(draft: Draft, tasks: readonly Judged[], count: number, budget: Budget): number {
  let stopped = 0;
  const left = tasks.filter(({ standing }) => standing !== 'going');
  while (stopped < count) {
    const next = pick(draft, left, budget);
    if (next === undefined) break;
    left.splice(left.indexOf(next), 1);
    spend(budget, next.standing);
    stopTask(draft, next);
    stopped += 1;
  }
  return stopped;
}

function spend(budget: Budget, standing: Standing): void {
  if (standing === 'healthy') budget.healthy -= 1;
  if (standing === 'healthy' || standing === 'unproven') budget.serving -= 1;
}

function mayGo(draft: Draft, { task, standing }: Judged, budget: Budget): boolean {
  if (isProtected(draft, task)) {
    wake(draft, task.protectedUntil);
    return false;
  }
  if (standing === 'healthy') return budget.healthy > 0 && budget.serving > 0;
  return standing !== 'unproven' || budget.serving > 0;
}

/** Those that serve least first; of these, one of the fullest zone; of these, the newest. */
function pick(draft: Draft, left: readonly Judged[], budget: Budget): Judged | undefined {
  const inZone = new Map<string | null, number>();
  for (const { task } of left) inZone.set(task.zone, (inZone.get(task.zone) ?? 0) + 1);
  const rank = ({ standing, task }: Judged) => [firstToGo.indexOf(standing), -(inZone.get(task.zone) ?? 0), -task.createdAt];
  return left
    .filter((judged) => mayGo(draft, judged, budget))
    .reduce<Judged | undefined>((best, judged) => (best === undefined || before(rank(judged), rank(best)) ? judged : best), undefined);
}

function before(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}
