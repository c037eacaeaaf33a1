/** The wish to leave a service's tasks alone: scale-in and deployments don't stop them until then. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import { effectiveDesired } from '#domain/task.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import { activeCluster } from './clusters.ts';
import type { IntentDeps } from './types.ts';

/** AWS's words ("API failure reasons", ECS developer guide). */
export type ProtectionFailure = 'MISSING' | 'TASK_NOT_VALID' | 'DEPLOYMENT_BLOCKED';
export type ProtectionResult = { tasks: TaskRecord[]; failures: { id: string; reason: ProtectionFailure }[] };

/** Protection without a time holds for two hours (API reference). */
const DEFAULT_MINUTES = 120;
const MINUTE_MS = 60_000;

/** When a protection that begins now ends; null for none. Throws InvalidParameter. */
export function protectionEnd(now: number, enabled: boolean, minutes: number = DEFAULT_MINUTES): number | null {
  if (!(Number.isInteger(minutes) && minutes >= 1 && minutes <= limits.protectionMinutes)) {
    throw new Fault('InvalidParameter', `expiresInMinutes must be between 1 and ${limits.protectionMinutes}; it is ${minutes}.`);
  }
  return enabled ? now + minutes * MINUTE_MS : null;
}

/** `until`: milliseconds since the epoch; null takes the protection away. Throws ClusterNotFound. */
export async function setTaskProtection(
  deps: IntentDeps,
  scope: Scope,
  cluster: string,
  ids: readonly string[],
  until: number | null,
): Promise<ProtectionResult> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const result: ProtectionResult = { tasks: [], failures: [] };
    for (const found of await taskProtection(tx, scope, cluster, ids)) {
      if ('reason' in found) result.failures.push(found);
      else if (until !== null && (await blocksDeployment(tx, found, now))) {
        result.failures.push({ id: found.key.id, reason: 'DEPLOYMENT_BLOCKED' });
      } else result.tasks.push(await tx.tasks.setDesired(found.key, { ...found.desired, protectedUntil: until }, found.revision));
    }
    return result;
  });
}

/** The tasks, or why one can't be protected: only a service's task that is to run can. Throws ClusterNotFound. */
export async function taskProtection(
  tx: ReadTx,
  scope: Scope,
  cluster: string,
  ids: readonly string[],
): Promise<(TaskRecord | { id: string; reason: ProtectionFailure })[]> {
  await activeCluster(tx, scope, cluster);
  const found: (TaskRecord | { id: string; reason: ProtectionFailure })[] = [];
  for (const id of ids) {
    const task = await tx.tasks.get({ account: scope.account, region: scope.region, cluster, id });
    if (task === undefined) found.push({ id, reason: 'MISSING' });
    else found.push(task.desired.service === null || effectiveDesired(task) === 'STOPPED' ? { id, reason: 'TASK_NOT_VALID' } : task);
  }
  return found;
}

/** A deployment that protected tasks hold up already isn't held up by more of them. */
async function blocksDeployment(tx: ReadTx, task: TaskRecord, now: number): Promise<boolean> {
  const { account, region, cluster, id } = task.key;
  const { service } = task.desired;
  if (service === null || service.taskSetId !== null) return false;
  const key = { account, region, cluster, name: service.name };
  const record = await tx.services.get(key);
  if (record === undefined) return false;
  const { desired, observed } = record;
  const target = observed.deploymentId === desired.deploymentId ? (observed.targetRevisionId ?? desired.revisionId) : desired.revisionId;
  if (target === service.revisionId) return false;
  const others = await tx.tasks.ofService(key);
  return others.some(
    (other) => other.key.id !== id && other.desired.service?.revisionId !== target && (other.desired.protectedUntil ?? 0) > now,
  );
}
