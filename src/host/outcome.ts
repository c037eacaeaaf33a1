/** Pure: what a supervisor says of a task, as the host reports it, and what follows from it. */
import { limits } from '#base/limits.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { ContainerObserved, Stop } from '#domain/task.ts';
import type { SandboxState } from '#sandbox/driver.ts';
import type { ContainerState } from '#supervisor/protocol.ts';

const statuses = { waiting: 'PENDING', running: 'RUNNING', exited: 'STOPPED' } as const;

const OUT_OF_MEMORY = 'OutOfMemoryError: Container killed due to memory usage';

export function bounded(reason: string): string {
  return reason.length <= limits.reasonChars ? reason : `${reason.slice(0, limits.reasonChars - 3)}...`;
}

/** The text in AWS's form: its error name, a colon, what happened. */
export function failureText(failure: NonNullable<ContainerState['failure']>): string {
  const name = failure.stage === 'create' ? 'CannotCreateContainerError' : 'CannotStartContainerError';
  return bounded(/^\w+Error: /.test(failure.message) ? failure.message : `${name}: ${failure.message}`);
}

function reasonOf(state: ContainerState): string | null {
  if (state.failure !== null) return failureText(state.failure);
  return state.oomKilled ? OUT_OF_MEMORY : null;
}

/** The containers of a report, brought up to date; what the supervisor doesn't know stays. */
export function observeContainers(before: ContainerObserved[], states: ContainerState[], now: number): ContainerObserved[] {
  return before.map((observed) => {
    const state = states.find((one) => one.name === observed.name);
    if (state === undefined) return observed;
    return {
      ...observed,
      status: statuses[state.status],
      exitCode: state.exitCode,
      reason: reasonOf(state) ?? observed.reason,
      startedAt: state.startedAtMs,
      finishedAt: state.finishedAtMs,
      health: state.health,
      healthReason: state.healthReason === null ? null : bounded(state.healthReason),
      healthExitCode: state.healthExitCode,
      healthSince: state.health === (observed.health ?? 'UNKNOWN') ? observed.healthSince : now,
      restartCount: state.restartCount,
    };
  });
}

export type Outcome = {
  /** When the task came to run: all containers that should have started did. null before. */
  startedAt: number | null;
  /** Why the task has to end by itself; null while it may go on. */
  stop: Stop | null;
  /** No container runs or will. */
  ended: boolean;
};

export function outcomeOf(spec: TaskSpec, state: SandboxState): Outcome {
  const { containers } = state;
  const ended = containers.every((container) => container.status === 'exited') || state.failure !== null;
  if (state.failure !== null && containers.some((container) => container.startedAtMs !== null)) {
    // What they ran in went away under them; how each ended is still to be told.
    const allEnded = containers.every((container) => container.status === 'exited');
    const [first = '', rest = ''] = [state.failure.message.slice(0, 1).toUpperCase(), state.failure.message.slice(1)];
    return { startedAt: null, stop: { code: 'InfrastructureHealth', reason: bounded(first + rest) }, ended: allEnded };
  }
  if (state.failure !== null) {
    const reason = `ResourceInitializationError: ${state.failure.stage}: ${state.failure.message}`;
    return { startedAt: null, stop: { code: 'TaskFailedToStart', reason: bounded(reason) }, ended };
  }
  const essential = (name: string) => spec.containers.find((container) => container.name === name)?.essential === true;
  // One that ran, and could not be started again, has ended like any other. What waited for something that never came ends the task.
  const isFailedStart = ({ name, failure, startedAtMs }: ContainerState) =>
    failure !== null && startedAtMs === null && (essential(name) || failure.stage === 'dependency');
  const failure = containers.find(isFailedStart)?.failure ?? null;
  if (failure !== null) return { startedAt: null, stop: { code: 'TaskFailedToStart', reason: failureText(failure) }, ended };
  const times = containers.map((container) => container.startedAtMs).filter((time) => time !== null);
  const allBegan = containers.every((container) => container.status !== 'waiting');
  const startedAt = allBegan && times.length > 0 ? Math.max(...times) : null;
  const over = containers.some((container) => container.status === 'exited' && essential(container.name));
  return { startedAt, stop: over ? { code: 'EssentialContainerExited', reason: 'Essential container in task exited' } : null, ended };
}
