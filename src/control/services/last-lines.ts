/** What a failed task printed last, asked of its host; never waited for longer than a moment. */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { hostOps } from '#link/operations.ts';
import type { TaskTail } from '#link/operations.ts';
import type { ServicePlan, ServiceSnapshot } from '#plan/service/types.ts';
import type { Store } from '#store/types.ts';
import type { HostCalls } from '../types.ts';

export type LastLines = { failure: string; lines: string[] };

/** Of the first task of the plan's `ended` whose failure one of its events tells; null when none does, or its host doesn't say in time. */
export async function lastLinesFor(
  deps: { store: Store; clock: Clock; hosts: HostCalls },
  snapshot: ServiceSnapshot,
  plan: ServicePlan,
): Promise<LastLines | null> {
  const told = snapshot.ended.find(({ failure }) => failure !== null && plan.events.some((event) => event.includes(failure)));
  if (told === undefined || told.failure === null) return null;
  const task = await deps.store.read((tx) => tx.tasks.byId(told.id));
  if (task === undefined || task.placement === null) return null;
  const body = { taskId: told.id, lines: limits.lastLines };
  const asked = deps.hosts.request(task.placement.hostId, hostOps.taskTail, body, { timeoutMs: limits.lastLinesMs });
  // Whatever hinders it, the event is told without them.
  const tail = (await Promise.race([asked.catch(() => null), deps.clock.sleep(limits.lastLinesMs)])) as TaskTail | null | undefined;
  const lines = (tail?.lines ?? []).slice(-limits.lastLines).map(({ text }) => oneLine(text));
  const spoken = lines.filter((line) => line !== '');
  return spoken.length === 0 ? null : { failure: told.failure, lines: spoken };
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, limits.lastLineChars);
