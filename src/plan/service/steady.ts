/** Whether a service has what it wishes for; and when it has, an even spread over the zones. */
import { limits } from '#base/limits.ts';
import { throttled } from './back-off.ts';
import { steadyEvent } from './events.ts';
import { isProtected, wake } from './draft.ts';
import type { Draft } from './draft.ts';
import { thinnest } from './launch.ts';
import { boundsOf } from './rolling.ts';

/** Exactly the desired count of the target, all healthy, nothing else, and nothing about to change. */
export function isSettled(draft: Draft): boolean {
  return draft.starts.length === 0 && draft.stops.length === 0 && atGoal(draft);
}

const atGoal = (draft: Draft): boolean =>
  draft.tasks.length === draft.count &&
  draft.tasks.every(({ task, standing }) => standing === 'healthy' && task.revisionId === draft.observed.targetRevisionId);

export function noteSteady(draft: Draft): void {
  if (!isSettled(draft)) {
    draft.observed.steadyAt = null;
    return;
  }
  if (draft.observed.steadyAt !== null) return;
  draft.observed.steadyAt = draft.now;
  draft.events.push(steadyEvent(draft.name));
}

/**
 * Availability zone rebalancing: a zone with two tasks more than another gives one to it. The new one starts first; once it is healthy the
 * service has one too many, and the fullest zone's goes.
 */
export function rebalance(draft: Draft): void {
  const { service, zones } = draft.snapshot;
  const { targetRevisionId } = draft.observed;
  if (!service.desired.zoneRebalancing || targetRevisionId === null || zones.length < 2) return;
  if (!isSettled(draft) || throttled(draft)) return;
  const used = draft.tasks.map(({ task }) => task.zone);
  const count = (zone: string) => used.filter((other) => other === zone).length;
  const thin = thinnest(zones, used);
  const fat = zones.reduce((a, b) => (count(b) > count(a) ? b : a));
  const movable = draft.tasks.some(({ task }) => task.zone === fat && !isProtected(draft, task));
  if (thin === null || !movable || count(fat) - count(thin) < 2 || boundsOf(draft).max <= draft.tasks.length) return;
  // A new task may end up in another zone after all, where this one's subnets are full: not again at once.
  const since = draft.observed.steadyAt ?? draft.now;
  wake(draft, since + limits.serviceRebalanceMs);
  if (draft.now - since < limits.serviceRebalanceMs) return;
  const leaving = draft.tasks.find(({ task }) => task.zone === fat);
  draft.starts.push({
    revisionId: targetRevisionId,
    taskSetId: null,
    zone: thin,
    capacityProvider: leaving?.task.capacityProvider ?? null,
  });
}
