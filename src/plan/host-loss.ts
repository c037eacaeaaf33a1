/** What becomes of a host's tasks when the host goes silent, comes back, or comes back without them. Pure. */
import type { Stop, TaskObserved, TaskRecord } from '#domain/task.ts';

/** Said of a task whose host came back without it; AWS's closest stop codes. */
export const LOST_REASON = 'The host was restarted while the task ran.';
export const LOST_START_REASON = 'Task failed to start: the host was restarted before the task ran.';

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
    return {
      ...observed,
      status: 'STOPPED',
      version: observed.version + 1,
      connectivity: 'CONNECTED',
      stoppingAt: observed.stoppingAt ?? now,
      executionStoppedAt: observed.executionStoppedAt ?? now,
      stoppedAt: now,
      stop: observed.stop ?? (task.desired.stop === null ? loss(observed) : null),
      containers: observed.containers.map((container) => ({ ...container, status: 'STOPPED', finishedAt: container.finishedAt ?? now })),
    };
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
