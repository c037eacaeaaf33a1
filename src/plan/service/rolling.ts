/**
 * Brings a service to one revision and keeps it there, between the bounds of its configuration: never more tasks than maximumPercent (those on
 * their way to the end count too), and no healthy one stopped below minimumHealthyPercent (ECS DeploymentConfiguration). With no other revision
 * left this is also what keeps a steady service alive.
 */
import { throttled } from './back-off.ts';
import { stuckEvent } from './events.ts';
import { isProtected, say } from './draft.ts';
import type { Draft } from './draft.ts';
import type { Judged, Standing } from './health.ts';
import { launch } from './launch.ts';
import { stopSurplus } from './scale-in.ts';
import type { Budget } from './scale-in.ts';
import { stopUnhealthy } from './unhealthy.ts';

/** Bounds on the number of tasks. The maximum lets at least the desired count run. */
export type Bounds = { min: number; max: number };

export function boundsOf(draft: Draft): Bounds {
  const { minimumHealthyPercent, maximumPercent } = draft.snapshot.service.desired.deployment;
  const min = Math.ceil((draft.count * minimumHealthyPercent) / 100);
  const max = Math.floor((draft.count * maximumPercent) / 100);
  return { min: Math.min(min, draft.count), max: Math.max(max, draft.count) };
}

export const countOf = (tasks: readonly Judged[], ...standings: Standing[]): number =>
  tasks.filter(({ standing }) => standings.includes(standing)).length;

export function budgetOf(tasks: readonly Judged[], min: number): Budget {
  const healthy = countOf(tasks, 'healthy');
  return { healthy: healthy - min, serving: healthy + countOf(tasks, 'unproven') - min };
}

/** `allowed`: how many of the target may be under way at most (see images.ts). */
export function roll(draft: Draft, targetId: string, allowed: number): void {
  const { min, max } = boundsOf(draft);
  const mine = draft.tasks.filter(({ task }) => task.revisionId === targetId);
  const others = draft.tasks.filter(({ task }) => task.revisionId !== targetId);
  const healthyMine = countOf(mine, 'healthy');
  const staying = countOf(mine, 'starting', 'unproven', 'healthy');
  const need = Math.max(0, Math.min(draft.count, allowed) - staying);
  const waits = need > 0 && throttled(draft);
  const room = Math.max(0, max - draft.tasks.length);
  const starting = waits ? 0 : Math.min(need, room);
  launch(draft, targetId, starting, mine);
  // What has no room yet, and won't get it from tasks that end already.
  const lack = waits ? 0 : Math.max(0, need - room - countOf(draft.tasks, 'going'));
  const budget = budgetOf(draft.tasks, min);
  stopSurplus(draft, mine.filter(good), staying - movingOf(draft, mine) - draft.count, budget);
  const freed = retire(draft, others, { healthyMine, lack, min, budget });
  const stuck = lack > 0 && freed === 0 && starting === 0 && countOf(draft.tasks, 'going') === 0;
  stopUnhealthy(draft, mine, draft.count, stuck);
  if (stuck && countOf(draft.tasks, 'going') === 0) sayStuck(draft, others, budget);
  replaceOthers(draft, others, { healthyMine, min, room: room - starting });
}

/** One that was started to even out the zones doesn't count as one too many until it is healthy. */
function movingOf(draft: Draft, mine: readonly Judged[]): number {
  if (!draft.snapshot.service.desired.zoneRebalancing) return 0;
  const healthy = mine.filter(({ standing }) => standing === 'healthy');
  const coming = mine.filter(({ standing }) => standing === 'starting' || standing === 'unproven');
  const [mover] = coming;
  if (healthy.length !== draft.count || coming.length !== 1 || mover === undefined) return 0;
  const count = (zone: string | null) => healthy.filter(({ task }) => task.zone === zone).length;
  const fullest = Math.max(...draft.snapshot.zones.map(count));
  return fullest - count(mover.task.zone) > 1 ? 1 : 0;
}

const good = ({ standing }: Judged): boolean => standing !== 'unhealthy' && standing !== 'going';

type Retiring = { healthyMine: number; lack: number; min: number; budget: Budget };

/** Stops tasks of other revisions as the target's take over, or as room is lacking; how many. */
function retire(draft: Draft, others: readonly Judged[], { healthyMine, lack, min, budget }: Retiring): number {
  const idle = others.filter(({ standing }) => standing === 'starting');
  const running = others.filter(({ standing }) => standing !== 'starting' && standing !== 'going');
  // One that hasn't come up yet may be all there is, or have come up unheard of; it gives way where room is lacking.
  const kept = Math.min(min - healthyMine - countOf(running, 'unproven', 'healthy'), idle.length - lack);
  const superfluous = idle.slice(Math.max(0, kept));
  const first = stopSurplus(draft, superfluous, superfluous.length, budget);
  const surplus = running.length + healthyMine - draft.count;
  return first + stopSurplus(draft, running, Math.max(surplus, lack - first), budget);
}

/**
 * A task of the stable revision that ended while its deployment's successor isn't up yet is replaced by one of the same, where the target's
 * tasks leave room: until then it is what serves.
 */
function replaceOthers(
  draft: Draft,
  others: readonly Judged[],
  { healthyMine, min, room }: { healthyMine: number; min: number; room: number },
): void {
  const { stableRevisionId, targetRevisionId } = draft.observed;
  if (stableRevisionId === null || stableRevisionId === targetRevisionId) return;
  const missing = min - healthyMine - countOf(others, 'starting', 'unproven', 'healthy');
  const count = Math.min(missing, room);
  if (count <= 0 || throttled(draft)) return;
  launch(
    draft,
    stableRevisionId,
    count,
    others.filter(({ task }) => task.revisionId === stableRevisionId),
  );
}

/** Nothing may be stopped nor started, and it isn't a matter of time. */
function sayStuck(draft: Draft, others: readonly Judged[], budget: Budget): void {
  const waiting = others.some(({ task, standing }) => standing === 'unproven' || isProtected(draft, task));
  const mineComing = draft.tasks.some(
    ({ task, standing }) => task.revisionId === draft.observed.targetRevisionId && standing !== 'healthy',
  );
  if (others.length > 0 && !waiting && !mineComing && budget.healthy <= 0) say(draft, stuckEvent(draft.name));
}
