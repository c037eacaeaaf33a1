/** Starting is slowed down after tasks that failed to start, in waves: tasks that were already on their way when one failed say nothing new. */
import { limits } from '#base/limits.ts';
import { inconsistentEvent } from './events.ts';
import { say, wake } from './draft.ts';
import type { Draft } from './draft.ts';
import type { PlanTask } from './types.ts';

/**
 * How long after its failure the next task may start. One that never ran: half a second, doubled up to 15 minutes. One that crashed as soon as it
 * ran is not throttled by ECS, where a start takes its time anyway; here it waits a few seconds at most, so that it doesn't take the machine.
 */
export function delayAfter(failures: number, ran: boolean): number {
  const longest = ran ? limits.serviceCrashDelayMaxMs : limits.serviceStartDelayMaxMs;
  return failures === 0 ? 0 : Math.min(longest, limits.serviceStartDelayMs * 2 ** Math.min(failures - 1, 30));
}

export const neverRan = (task: PlanTask): boolean => task.startedAt === null;
export const crashedAtOnce = (task: PlanTask): boolean =>
  task.startedAt !== null && (task.stoppedAt ?? task.startedAt) - task.startedAt < limits.serviceCrashMs;

/** Ended by itself: nobody asked for it. */
export function endedAlone(task: PlanTask): boolean {
  const code = task.stop?.code;
  return code !== 'UserInitiated' && code !== 'ServiceSchedulerInitiated' && code !== 'SpotInterruption';
}

export function accountStarts(draft: Draft): void {
  const { observed, snapshot, now } = draft;
  for (const task of snapshot.ended) {
    if (!endedAlone(task) || !(neverRan(task) || crashedAtOnce(task))) continue;
    const wave = observed.failedAt ?? null;
    observed.failedAt = now;
    if (wave !== null && observed.startFailures > 0 && task.createdAt < wave) continue;
    observed.startFailures += 1;
    observed.nextStartAt = now + delayAfter(observed.startFailures, !neverRan(task));
    if (observed.startFailures >= limits.serviceFailuresSaid) say(draft, inconsistentEvent(draft.name));
  }
  if (observed.startFailures > 0 && draft.tasks.some(({ task, standing }) => standing !== 'going' && provesStarts(draft, task))) {
    observed.startFailures = 0;
    observed.nextStartAt = null;
  }
}

/** It was started after the last failure and has run for longer than a crash takes. */
function provesStarts(draft: Draft, task: PlanTask): boolean {
  const { observed, now } = draft;
  if (task.startedAt === null || task.createdAt < (observed.failedAt ?? 0)) return false;
  wake(draft, task.startedAt + limits.serviceCrashMs);
  return now - task.startedAt >= limits.serviceCrashMs;
}

/** Whether starts have to wait; plans again when the wait is over. */
export function throttled(draft: Draft): boolean {
  const { nextStartAt } = draft.observed;
  if (nextStartAt === null || nextStartAt <= draft.now) return false;
  wake(draft, nextStartAt);
  return true;
}
