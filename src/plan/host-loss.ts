/** What becomes of a host's tasks when the host goes silent, comes back, or comes back without them. Pure. */
import { limits } from '#base/limits.ts';
import type { Stop, TaskObserved, TaskRecord } from '#domain/task.ts';

/** Said of a task whose host came back without it; AWS's closest stop codes. */
export const LOST_REASON = 'The host was restarted while the task ran.';
export const LOST_START_REASON = 'Task failed to start: the host was restarted before the task ran.';
/** And of a task whose host is silent for too long. */
export const SILENT_REASON = `The host was not heard of for ${limits.hostLostMs / 60_000} minutes.`;
export const SILENT_START_REASON = `Task failed to start: its host was not heard of for ${limits.hostLostMs / 60_000} minutes.`;

function loss(observed: TaskObserved): Stop {
  return observed.startedAt === null
    ? { code: 'TaskFailedToStart', reason: LOST_START_REASON }
    : { code: 'InfrastructureHealth', reason: LOST_REASON };
}

/**
 * A host's live tasks when it says hello: those it had taken on and no longer knows ended with it, the others are connected again.
 * undefined: nothing changes. A task that it never reported on is not lost, only not begun.
 */
export function afterHello(task: TaskRecord, known: ReadonlySet<string>, now: number): TaskObserved | undefined {
  const { observed } = task;
  if (observed.status === 'STOPPED') return undefined;
  if (observed.status !== 'PROVISIONING' && !known.has(task.key.id)) {
    return ended(task, now, loss(observed), 'CONNECTED');
  }
  if (observed.connectivity === 'CONNECTED') return undefined;
  return { ...observed, version: observed.version + 1, connectivity: 'CONNECTED', connectivityAt: now };
}

/** A host's live tasks once it counts as gone: they may well run on. */
export function afterSilence(task: TaskRecord, now: number): TaskObserved | undefined {
  const { observed } = task;
  if (observed.status === 'STOPPED' || observed.connectivity === 'DISCONNECTED') return undefined;
  return { ...observed, version: observed.version + 1, connectivity: 'DISCONNECTED', connectivityAt: now };
}

/**
 * A live task whose host stayed silent past limits.hostLostMs: it counts as ended, so that its service replaces it. AWS has the same choice: a task
 * that can't be seen is replaced, although it may run on where it is; its host, should it come back, is told first that it is to end.
 */
export function afterLoss(task: TaskRecord, now: number): TaskObserved | undefined {
  const { observed } = task;
  if (observed.status === 'STOPPED') return undefined;
  const stop: Stop =
    observed.startedAt === null
      ? { code: 'TaskFailedToStart', reason: SILENT_START_REASON }
      : { code: 'InfrastructureHealth', reason: SILENT_REASON };
  return ended(task, now, stop, 'DISCONNECTED');
}

function ended(task: TaskRecord, now: number, stop: Stop, connectivity: TaskObserved['connectivity']): TaskObserved {
  const { observed, desired } = task;
  return {
    ...observed,
    status: 'STOPPED',
    version: observed.version + 1,
    connectivity,
    stoppingAt: observed.stoppingAt ?? now,
    executionStoppedAt: observed.executionStoppedAt ?? now,
    stoppedAt: now,
    stop: observed.stop ?? (desired.stop === null ? stop : null),
    containers: observed.containers.map((container) => ({ ...container, status: 'STOPPED', finishedAt: container.finishedAt ?? now })),
  };
}
