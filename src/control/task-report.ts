/** A host's report on a task, laid over what was known of it. Pure. */
import { taskStatuses } from '#domain/task.ts';
import type { ContainerObserved, TaskObserved } from '#domain/task.ts';
import type { TaskReport } from '#link/protocol.ts';

/** What is known after the report; undefined when it says nothing new. A status never goes back, whatever a host says. */
export function afterReport(observed: TaskObserved, report: TaskReport): TaskObserved | undefined {
  if (observed.status === 'STOPPED') return undefined;
  const back = taskStatuses.indexOf(report.status) < taskStatuses.indexOf(observed.status);
  const next: TaskObserved = {
    status: back ? observed.status : report.status,
    version: observed.version,
    connectivity: 'CONNECTED',
    isolation: report.isolation ?? observed.isolation,
    accelerator: report.accelerator ?? observed.accelerator,
    connectivityAt: observed.connectivityAt ?? report.connectivityAt,
    pullStartedAt: observed.pullStartedAt ?? report.pullStartedAt,
    pullStoppedAt: observed.pullStoppedAt ?? report.pullStoppedAt,
    startedAt: observed.startedAt ?? report.startedAt,
    stoppingAt: observed.stoppingAt ?? report.stoppingAt,
    executionStoppedAt: observed.executionStoppedAt ?? report.executionStoppedAt,
    stoppedAt: observed.stoppedAt ?? report.stoppedAt,
    stop: observed.stop ?? stopOf(observed, report),
    containers: observed.containers.map((known) =>
      mergeContainer(
        known,
        report.containers.find((said) => said.name === known.name),
      ),
    ),
  };
  if (JSON.stringify(next) === JSON.stringify(observed)) return undefined;
  return { ...next, version: observed.version + 1 };
}

/** What was seen to run didn't fail to start: a host that was cut off at that moment may not know it any more. */
function stopOf(observed: TaskObserved, { stop }: TaskReport): TaskObserved['stop'] {
  return stop?.code === 'TaskFailedToStart' && observed.startedAt !== null ? { ...stop, code: 'InfrastructureHealth' } : stop;
}

const containerOrder: readonly ContainerObserved['status'][] = ['PENDING', 'RUNNING', 'STOPPED'];

function mergeContainer(known: ContainerObserved, said: ContainerObserved | undefined): ContainerObserved {
  if (said === undefined || containerOrder.indexOf(said.status) < containerOrder.indexOf(known.status)) return known;
  return {
    name: known.name,
    status: said.status,
    runtimeId: said.runtimeId,
    imageDigest: said.imageDigest,
    exitCode: said.exitCode,
    reason: said.reason,
    startedAt: said.startedAt,
    finishedAt: said.finishedAt,
    // A row without it says the same as UNKNOWN, and is no news for that.
    health: (said.health ?? 'UNKNOWN') === (known.health ?? 'UNKNOWN') ? known.health : (said.health ?? 'UNKNOWN'),
    healthReason: (said.healthReason ?? null) === (known.healthReason ?? null) ? known.healthReason : (said.healthReason ?? null),
  };
}
