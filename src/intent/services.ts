/** Wishes about services. They only say what is to be: tasks are started and stopped by control/services. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { urlSafeId } from '#base/ids.ts';
import { assertServiceName } from '#domain/names.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import { newServiceDeploymentObserved, newServiceObserved } from '#domain/service.ts';
import type { ServiceDesired, ServiceKey, ServiceRecord } from '#domain/service.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { idsBefore, keepAnswer } from './client-token.ts';
import type { TokenWish } from './client-token.ts';
import { activeCluster } from './clusters.ts';
import { ensureRegionIn } from './region.ts';
import { insertRevision, refreshTaskSide } from './services-revision.ts';
import type { RevisionWish } from './services-revision.ts';
import type { IntentDeps } from './types.ts';

/** What a caller decides about a service. */
export type ServiceMembers = Omit<
  ServiceDesired,
  'status' | 'createdAt' | 'createdBy' | 'deletedAt' | 'deploymentId' | 'revisionId' | 'primaryTaskSetId'
>;
/** `revision`: the recipe that a new deployment brings; null for none. */
export type ServicePlanWish = { members: ServiceMembers; revision: RevisionWish | null };

export type CreateServiceWish = {
  cluster: string;
  name: string;
  createdBy: string;
  token: TokenWish | null;
  /** Works out the members from what is there; awaits nothing but the transaction. May throw a Fault. */
  plan: (tx: ReadTx, cluster: ClusterRecord) => Promise<ServicePlanWish>;
};

export type UpdateServiceWish = {
  cluster: string;
  name: string;
  plan: (tx: ReadTx, cluster: ClusterRecord, service: ServiceRecord) => Promise<ServicePlanWish>;
};

/** DRAINING as soon as deletion is asked for; INACTIVE once control has ended it. */
export function serviceStatus(service: ServiceRecord): 'ACTIVE' | 'DRAINING' | 'INACTIVE' {
  return service.observed.status === 'INACTIVE' ? 'INACTIVE' : service.desired.status;
}

/**
 * Throws ClusterNotFound, InvalidParameter (a service of that name is there; what it names isn't), Unsupported. A repeated token gives the
 * service of the first call.
 */
export async function createService(deps: IntentDeps, scope: Scope, wish: CreateServiceWish): Promise<ServiceRecord> {
  assertServiceName(wish.name);
  const now = deps.clock.now();
  const key = { account: scope.account, region: scope.region, cluster: wish.cluster, name: wish.name };
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    const cluster = await activeCluster(tx, scope, wish.cluster);
    const present = await tx.services.get(key);
    if (present !== undefined && serviceStatus(present) !== 'INACTIVE') {
      if (wish.token !== null && (await tokenRepeats(tx, key, wish.token, now))) return present;
      throw new Fault(
        'InvalidParameter',
        present.desired.status === 'DRAINING'
          ? 'Unable to Start a service that is still Draining.'
          : 'Creation of service was not idempotent.',
      );
    }
    const { members, revision } = await wish.plan(tx, cluster);
    if (present !== undefined) await forget(tx, key);
    if (wish.token !== null) await keepAnswer(tx, key, `CreateService ${key.name}`, wish.token, [], now);
    const blank = { status: 'ACTIVE' as const, createdAt: now, createdBy: wish.createdBy, deletedAt: null, primaryTaskSetId: null };
    const desired = { ...members, ...blank, deploymentId: null, revisionId: null };
    const deployed = revision === null ? desired : await deploy(tx, deps, { key, cluster, now, sources: [] }, desired, revision);
    return await tx.services.insert(key, deployed, newServiceObserved());
  });
}

/** Throws ServiceNotFound, ServiceNotActive, and what CreateService throws. A revision makes a deployment, which takes the place of one that is under way. */
export async function updateService(deps: IntentDeps, scope: Scope, wish: UpdateServiceWish): Promise<ServiceRecord> {
  const now = deps.clock.now();
  const key = { account: scope.account, region: scope.region, cluster: wish.cluster, name: wish.name };
  return await deps.store.write(async (tx) => {
    const cluster = await activeCluster(tx, scope, wish.cluster);
    const service = await activeService(tx, key);
    const { members, revision } = await wish.plan(tx, cluster, service);
    const desired = { ...service.desired, ...members };
    const counts = await tx.tasks.serviceCounts(key);
    const sources = [...new Set(counts.flatMap((count) => (count.revisionId === null ? [] : [count.revisionId])))];
    const deployed = revision === null ? desired : await deploy(tx, deps, { key, cluster, now, sources }, desired, revision);
    const current = [desired.revisionId, service.observed.targetRevisionId].filter((id) => id !== null);
    if (revision === null) await refreshTaskSide(tx, key, desired, current);
    return await tx.services.setDesired(key, deployed, service.revision);
  });
}

/**
 * ACTIVE -> DRAINING; its tasks end, then control makes it INACTIVE. Throws ServiceNotFound, and InvalidParameter without `force` while it
 * is to have tasks. Deleting what is being deleted changes nothing.
 */
export async function deleteService(
  deps: IntentDeps,
  scope: Scope,
  wish: { cluster: string; name: string; force: boolean },
): Promise<ServiceRecord> {
  const now = deps.clock.now();
  const key = { account: scope.account, region: scope.region, cluster: wish.cluster, name: wish.name };
  return await deps.store.write(async (tx) => {
    await activeCluster(tx, scope, wish.cluster);
    const service = await tx.services.get(key);
    if (service === undefined || serviceStatus(service) === 'INACTIVE') throw new Fault('ServiceNotFound', 'Service not found.');
    if (service.desired.status === 'DRAINING') return service;
    const { desired } = service;
    if (!wish.force && desired.controller === 'EXTERNAL' && (await tx.taskSets.list(key)).some((set) => !set.desired.deleted)) {
      throw new Fault('InvalidParameter', 'The service cannot be stopped while it has active task sets.');
    }
    if (!wish.force && desired.scheduling === 'REPLICA' && desired.desiredCount > 0 && desired.controller !== 'EXTERNAL') {
      throw new Fault('InvalidParameter', 'The service cannot be stopped while it is scaled above 0.');
    }
    return await tx.services.setDesired(key, { ...desired, status: 'DRAINING', desiredCount: 0, deletedAt: now }, service.revision);
  });
}

/** Throws ServiceNotFound, ServiceNotActive. */
export async function activeService(tx: ReadTx, key: ServiceKey): Promise<ServiceRecord> {
  const service = await tx.services.get(key);
  if (service === undefined) throw new Fault('ServiceNotFound', 'Service not found.');
  if (serviceStatus(service) !== 'ACTIVE') throw new Fault('ServiceNotActive', 'Service was not ACTIVE.');
  return service;
}

/** The rows of a new deployment and its revision; the service's wish, naming them. */
async function deploy(
  tx: WriteTx,
  deps: IntentDeps,
  setting: { key: ServiceKey; cluster: ClusterRecord; now: number; sources: string[] },
  desired: ServiceDesired,
  wish: RevisionWish,
): Promise<ServiceDesired> {
  const { key, now } = setting;
  const revision = await insertRevision(tx, deps, { ...setting, service: desired }, wish);
  const id = urlSafeId(deps.random);
  await tx.serviceDeployments.insert(
    { ...key, id },
    {
      createdAt: now,
      targetRevisionId: revision.key.id,
      sourceRevisionIds: setting.sources,
      config: desired.deployment,
      stop: null,
      continued: {},
      requestedCount: desired.desiredCount,
    },
    newServiceDeploymentObserved(now),
  );
  return { ...desired, deploymentId: id, revisionId: revision.key.id };
}

/** A token that comes again with other parameters is one more call that isn't idempotent: AWS has no other word for it here. */
async function tokenRepeats(tx: WriteTx, key: ServiceKey, token: TokenWish, now: number): Promise<boolean> {
  try {
    return (await idsBefore(tx, key, `CreateService ${key.name}`, token, now)) !== undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === 'Conflict') return false;
    throw error;
  }
}

/** A name whose service is INACTIVE is free again: the new one starts with a history of its own. */
async function forget(tx: WriteTx, key: ServiceKey): Promise<void> {
  for (const { key: one } of await tx.serviceRevisions.list(key)) await tx.serviceRevisions.delete(one);
  for (const { key: one } of await tx.serviceDeployments.list(key)) await tx.serviceDeployments.delete(one);
  for (const { key: one } of await tx.taskSets.list(key)) await tx.taskSets.delete(one);
  for (const { key: one } of await tx.serviceEvents.list(key)) await tx.serviceEvents.delete(one);
  await tx.services.delete(key);
}

/** How many tasks a service may be asked to have. Throws InvalidParameter. */
export function assertDesiredCount(count: number): void {
  if (Number.isInteger(count) && count >= 0 && count <= limits.serviceTasks) return;
  throw new Fault('InvalidParameter', `desiredCount must be between 0 and ${limits.serviceTasks}; it is ${count}.`);
}
