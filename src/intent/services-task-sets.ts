/** Wishes about task sets: what runs in a service whose deployments somebody else controls (deployment controller EXTERNAL). */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import { deploymentName } from '#domain/service.ts';
import type { ServiceDesired, ServiceKey, ServiceRecord, TaskSetRecord } from '#domain/service.ts';
import { mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { idsBefore, keepAnswer } from './client-token.ts';
import type { TokenWish } from './client-token.ts';
import { activeCluster } from './clusters.ts';
import { ensureRegionIn } from './region.ts';
import { activeService } from './services.ts';
import { insertRevision } from './services-revision.ts';
import type { RevisionWish } from './services-revision.ts';
import type { IntentDeps } from './types.ts';

export type CreateTaskSetWish = {
  cluster: string;
  service: string;
  externalId: string | null;
  /** Percent of the service's desired count, 0 to 100. */
  scale: number;
  tags: Tag[];
  front: Record<string, unknown>;
  token: TokenWish | null;
  plan: (tx: ReadTx, cluster: ClusterRecord, service: ServiceRecord) => Promise<RevisionWish>;
};

/** Throws ClusterNotFound, ServiceNotFound, ServiceNotActive, InvalidParameter, LimitExceeded. */
export async function createTaskSet(deps: IntentDeps, scope: Scope, wish: CreateTaskSetWish): Promise<TaskSetRecord> {
  assertScale(wish.scale);
  const now = deps.clock.now();
  const key = keyOf(scope, wish);
  return await deps.store.write(async (tx) => {
    await ensureRegionIn(tx, scope, now);
    const cluster = await activeCluster(tx, scope, wish.cluster);
    const service = await externalService(tx, key);
    const operation = `CreateTaskSet ${key.name}`;
    const [before] = wish.token === null ? [] : ((await idsBefore(tx, key, operation, wish.token, now)) ?? []);
    const present = before === undefined ? undefined : await tx.taskSets.get({ ...key, id: before });
    if (present !== undefined) return present;
    const live = (await tx.taskSets.list(key)).filter((set) => !set.desired.deleted);
    if (live.length >= limits.serviceTaskSets) {
      throw new Fault('LimitExceeded', `A service can have at most ${limits.serviceTaskSets} task sets.`);
    }
    const recipe = await wish.plan(tx, cluster, service);
    const side = { ...service.desired, tags: sideTags(service.desired, wish.tags) };
    const revision = await insertRevision(tx, deps, { key, cluster, now, service: side }, recipe);
    const record = await tx.taskSets.insert(
      { ...key, id: deploymentName(revision.key.id) },
      {
        createdAt: now,
        deleted: false,
        externalId: wish.externalId,
        startedBy: null,
        scale: wish.scale,
        tags: wish.tags,
        front: wish.front,
      },
      { status: 'ACTIVE', stability: 'STABILIZING', stabilityAt: now, updatedAt: now },
    );
    if (wish.token !== null) await keepAnswer(tx, key, operation, wish.token, [record.key.id], now);
    return record;
  });
}

type TaskSetWish = { cluster: string; service: string; id: string };

/** Throws TaskSetNotFound beside what CreateTaskSet throws. */
export async function scaleTaskSet(deps: IntentDeps, scope: Scope, wish: TaskSetWish & { scale: number }): Promise<TaskSetRecord> {
  assertScale(wish.scale);
  return await changeTaskSet(deps, scope, wish, async (tx, set) => {
    return await tx.taskSets.setDesired(set.key, { ...set.desired, scale: wish.scale }, set.revision);
  });
}

/** Its tasks end. Throws InvalidParameter without `force` while it is to have any. */
export async function deleteTaskSet(deps: IntentDeps, scope: Scope, wish: TaskSetWish & { force: boolean }): Promise<TaskSetRecord> {
  return await changeTaskSet(deps, scope, wish, async (tx, set, service) => {
    if (!wish.force && set.desired.scale > 0) {
      throw new Fault('InvalidParameter', 'The task set cannot be deleted while it is scaled above 0.');
    }
    if (service.desired.primaryTaskSetId === set.key.id) {
      await tx.services.setDesired(service.key, { ...service.desired, primaryTaskSetId: null }, service.revision);
    }
    return await tx.taskSets.setDesired(set.key, { ...set.desired, deleted: true, scale: 0 }, set.revision);
  });
}

export async function setPrimaryTaskSet(deps: IntentDeps, scope: Scope, wish: TaskSetWish): Promise<TaskSetRecord> {
  return await changeTaskSet(deps, scope, wish, async (tx, set, service) => {
    await tx.services.setDesired(service.key, { ...service.desired, primaryTaskSetId: set.key.id }, service.revision);
    return set;
  });
}

async function changeTaskSet(
  deps: IntentDeps,
  scope: Scope,
  wish: TaskSetWish,
  change: (tx: WriteTx, set: TaskSetRecord, service: ServiceRecord) => Promise<TaskSetRecord>,
): Promise<TaskSetRecord> {
  const key = keyOf(scope, wish);
  return await deps.store.write(async (tx) => {
    await activeCluster(tx, scope, wish.cluster);
    const service = await externalService(tx, key);
    const set = await tx.taskSets.get({ ...key, id: wish.id });
    if (set === undefined || set.desired.deleted) throw new Fault('TaskSetNotFound', 'The specified task set was not found.');
    return await change(tx, set, service);
  });
}

async function externalService(tx: ReadTx, key: ServiceKey): Promise<ServiceRecord> {
  const service = await activeService(tx, key);
  if (service.desired.controller === 'EXTERNAL') return service;
  throw new Fault(
    'InvalidParameter',
    `Task sets need a service with an EXTERNAL deployment controller; that of ${key.name} is ${service.desired.controller}.`,
  );
}

/** A task set's own tags reach its tasks as the service's do, where those are propagated. */
function sideTags(service: ServiceDesired, tags: Tag[]): Tag[] {
  return mergeTags(service.tags, tags);
}

const keyOf = (scope: Scope, wish: { cluster: string; service: string }): ServiceKey => ({
  account: scope.account,
  region: scope.region,
  cluster: wish.cluster,
  name: wish.service,
});

function assertScale(scale: number): void {
  if (scale >= 0 && scale <= 100) return;
  throw new Fault('InvalidParameter', `The scale of a task set must be between 0 and 100 percent; it is ${scale}.`);
}
