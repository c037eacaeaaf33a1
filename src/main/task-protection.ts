/** A task's wish about its own protection, as the host carries it here: the same as UpdateTaskProtection and GetTaskProtection. */
import type { TaskKey } from '#domain/task.ts';
import { protectionEnd, setTaskProtection, taskProtection } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { TaskProtectionAnswer, TaskProtectionCall } from '#link/operations.ts';

/** Throws InvalidParameter, ClusterNotFound. */
export async function protectTask(deps: IntentDeps, task: TaskKey, call: TaskProtectionCall): Promise<TaskProtectionAnswer> {
  const now = deps.clock.now();
  if (call.enabled !== undefined) {
    const until = protectionEnd(now, call.enabled, call.minutes);
    const { failures } = await setTaskProtection(deps, task, task.cluster, [task.id], until);
    return failures[0] === undefined ? { until } : { failure: failures[0].reason };
  }
  const [found] = await deps.store.read((tx) => taskProtection(tx, task, task.cluster, [task.id]));
  if (found === undefined) return { failure: 'MISSING' };
  if ('reason' in found) return { failure: found.reason };
  const until = found.desired.protectedUntil;
  return { until: until !== null && until > now ? until : null };
}
