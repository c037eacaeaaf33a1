/** Task protection as the API shows it, and the tasks that its calls name. */
import type { ProtectedTask } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { taskArn, taskId } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord } from '#domain/task.ts';

/** A protection that ran out is none. `now`: milliseconds since the epoch. */
export function describeProtection(task: TaskRecord, now: number): ProtectedTask {
  const until = task.desired.protectedUntil;
  const holds = until !== null && until > now;
  return {
    taskArn: taskArn(task.key),
    protectionEnabled: holds,
    ...(holds ? { expirationDate: new Date(until) } : {}),
  };
}

/** Ids, each once. Throws InvalidParameter when there are none, too many, or one that can't be a task's. */
export function protectionTasks(scope: Scope, cluster: string, tasks: readonly string[] | undefined, most: number): string[] {
  const ids = [...new Set((tasks ?? []).map((ref) => taskId(scope, cluster, ref)))];
  if (ids.length === 0) throw new Fault('InvalidParameter', 'Tasks cannot be empty.');
  if (ids.length > most) throw new Fault('InvalidParameter', `Tasks can have at most ${most} items; there are ${ids.length}.`);
  return ids;
}
