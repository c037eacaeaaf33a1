/** What of services is past its time: INACTIVE ones with all that is theirs, old deployments, and revisions that nothing names any more. */
import { limits } from '#base/limits.ts';
import { ended } from '#domain/service.ts';
import type { ServiceDeploymentRecord, ServiceKey, ServiceRecord } from '#domain/service.ts';
import type { ReadTx, Store, WriteTx } from '#store/types.ts';
import type { Lease } from '../lease.ts';

export type Expired = { services: number; deployments: number; revisions: number };

/** One transaction for each service that has something to forget, so that nobody waits long behind them. */
export async function expireServices(store: Store, lease: Lease, now: number): Promise<Expired> {
  const total: Expired = { services: 0, deployments: 0, revisions: 0 };
  const keys = (await store.read((tx) => tx.serviceStamps())).map(({ key }) => key);
  for (const key of keys) {
    if (!(await store.read((tx) => hasExpired(tx, key, now)))) continue;
    const gone = await lease.write((tx) => expireService(tx, key, now));
    for (const kind of ['services', 'deployments', 'revisions'] as const) total[kind] += gone[kind];
  }
  return total;
}

async function hasExpired(tx: ReadTx, key: ServiceKey, now: number): Promise<boolean> {
  const service = await tx.services.get(key);
  if (service === undefined) return false;
  return isOver(service, now) || expiredDeployments(service, await tx.serviceDeployments.list(key), now).length > 0;
}

async function expireService(tx: WriteTx, key: ServiceKey, now: number): Promise<Expired> {
  const service = await tx.services.get(key);
  if (service === undefined) return { services: 0, deployments: 0, revisions: 0 };
  const all = await tx.serviceDeployments.list(key);
  const over = isOver(service, now);
  const deployments = over ? all : expiredDeployments(service, all, now);
  for (const deployment of deployments) await tx.serviceDeployments.delete(deployment.key);
  const kept = all.filter((deployment) => !deployments.includes(deployment));
  const named = over ? new Set<string>() : await namedRevisions(tx, service, kept);
  const revisions = (await tx.serviceRevisions.list(key)).filter((revision) => !named.has(revision.key.id));
  for (const revision of revisions) await tx.serviceRevisions.delete(revision.key);
  if (over) {
    for (const event of await tx.serviceEvents.list(key)) await tx.serviceEvents.delete(event.key);
    for (const taskSet of await tx.taskSets.list(key)) await tx.taskSets.delete(taskSet.key);
    await tx.services.delete(key);
  }
  return { services: over ? 1 : 0, deployments: deployments.length, revisions: revisions.length };
}

const isOver = ({ desired, observed }: ServiceRecord, now: number): boolean =>
  observed.status === 'INACTIVE' && now - (desired.deletedAt ?? desired.createdAt) > limits.inactiveServiceKeepMs;

/** Ended ones past their time or beyond the newest so many; never the one that the service is at. */
function expiredDeployments(service: ServiceRecord, all: readonly ServiceDeploymentRecord[], now: number): ServiceDeploymentRecord[] {
  const current = new Set([service.desired.deploymentId, service.observed.deploymentId]);
  const endedAt = ({ observed }: ServiceDeploymentRecord) => observed.finishedAt ?? observed.stoppedAt ?? observed.updatedAt;
  const over = all.filter(({ observed }) => ended(observed.status)).sort((a, b) => endedAt(b) - endedAt(a));
  return over.filter(
    (deployment, index) =>
      !current.has(deployment.key.id) && (index >= limits.endedDeployments || now - endedAt(deployment) > limits.endedDeploymentKeepMs),
  );
}

async function namedRevisions(
  tx: ReadTx,
  { key, desired, observed }: ServiceRecord,
  kept: readonly ServiceDeploymentRecord[],
): Promise<Set<string>> {
  const named = [desired.revisionId, observed.targetRevisionId, observed.stableRevisionId];
  for (const deployment of kept) {
    named.push(
      deployment.desired.targetRevisionId,
      ...deployment.desired.sourceRevisionIds,
      deployment.observed.rollback?.revisionId ?? null,
    );
  }
  for (const task of await tx.tasks.ofService(key)) named.push(task.desired.service?.revisionId ?? null);
  for (const taskSet of await tx.taskSets.list(key)) named.push(taskSet.key.id.split('/').at(-1) ?? null);
  return new Set(named.filter((id) => id !== null));
}
