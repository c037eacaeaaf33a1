/** The wish to stop a task; the loops and the host do it, with its stop signals and time-outs. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import { effectiveDesired } from '#domain/task.ts';
import type { Stop, TaskRecord } from '#domain/task.ts';
import { activeCluster } from './clusters.ts';
import type { IntentDeps } from './types.ts';

/**
 * Asks once: a task that was asked to stop, or ended by itself, is returned as it is. Throws ClusterNotFound, and InvalidParameter with
 * AWS's text when the task isn't there.
 */
export async function stopTask(deps: IntentDeps, scope: Scope, cluster: string, id: string, stop: Stop): Promise<TaskRecord> {
  const at = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await activeCluster(tx, scope, cluster);
    const task = await tx.tasks.get({ ...scope, cluster, id });
    if (task === undefined) throw new Fault('InvalidParameter', 'The referenced task was not found.');
    if (effectiveDesired(task) === 'STOPPED') return task;
    const reason = stop.reason.slice(0, limits.reasonChars);
    return await tx.tasks.setDesired(
      task.key,
      { ...task.desired, status: 'STOPPED', stop: { code: stop.code, reason, at } },
      task.revision,
    );
  });
}
