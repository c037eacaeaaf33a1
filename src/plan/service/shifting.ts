/**
 * BLUE_GREEN, LINEAR and CANARY: the new revision (green) comes up whole beside the old one (blue), takes over its traffic, and only then blue
 * ends. maximumPercent is for each of the two.
 */
import { complete } from './deployment.ts';
import { underWay } from './draft.ts';
import type { Draft } from './draft.ts';
import { allowedByDigests } from './images.ts';
import { keep } from './keep.ts';
import { boundsOf } from './rolling.ts';
import { advance, healthyOf, reached } from './stages.ts';
import type { Shifting } from './stages.ts';
import { setWeight } from './traffic.ts';

export function shift(draft: Draft, shifting: Shifting): void {
  const { observed, green, blue } = shifting;
  if (advance(draft, shifting)) complete(draft, observed);
  if (!underWay(observed) || observed.rollback !== null) return standBack(draft, shifting);
  keepStrays(draft, [green, blue]);
  keepOne(draft, blue, reached(observed, 'CLEAN_UP') ? 0 : draft.count);
  keepOne(draft, green, reached(observed, 'SCALE_UP') ? draft.count : 0, allowedByDigests(draft, green, observed.failedTasks));
}

/**
 * Gives all traffic back to blue, then ends green. Blue may be gone in part when its clean-up had begun: it gets the traffic once it can serve.
 */
export function standBack(draft: Draft, { observed, green, blue }: Shifting): void {
  if (observed.status === 'SUCCESSFUL') return keepOne(draft, green, draft.count);
  if (healthyOf(draft, blue) >= boundsOf(draft).min) {
    setWeight(draft, observed, green, 'production', 0);
    setWeight(draft, observed, green, 'test', 0);
  }
  keepStrays(draft, [green, blue]);
  keepOne(draft, blue, draft.count);
  keepOne(draft, green, observed.productionWeight > 0 ? draft.count : 0, 0);
}

function keepStrays(draft: Draft, known: readonly string[]): void {
  const strays = new Set(draft.tasks.map(({ task }) => task.revisionId).filter((id) => !known.includes(id)));
  for (const id of strays) keepOne(draft, id, 0);
}

function keepOne(draft: Draft, revisionId: string, goal: number, allowed = Infinity): void {
  keep(draft, { revisionId, tasks: draft.tasks.filter(({ task }) => task.revisionId === revisionId), goal, allowed });
}
