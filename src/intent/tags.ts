/** Tags of clusters, tasks, task definitions, services and task sets, wherever they are kept. */
import { Fault } from '#base/fault.ts';
import type { Scope } from '#domain/scope.ts';
import type { ServiceKey } from '#domain/service.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { refreshTaskSide } from './services-revision.ts';
import type { IntentDeps } from './types.ts';

/** What can be tagged, by the parts of its key beyond account and region. */
export type Taggable =
  | { kind: 'cluster'; name: string }
  | { kind: 'task'; cluster: string; id: string }
  | { kind: 'task-definition'; family: string; revision: number }
  | { kind: 'service'; cluster: string; name: string }
  | { kind: 'task-set'; cluster: string; name: string; id: string };

export async function tagResource(deps: IntentDeps, scope: Scope, target: Taggable, tags: Tag[]): Promise<void> {
  await deps.store.write((tx) => changeTags(tx, scope, target, (present) => mergeTags(present, tags)));
}

export async function untagResource(deps: IntentDeps, scope: Scope, target: Taggable, keys: string[]): Promise<void> {
  await deps.store.write((tx) => changeTags(tx, scope, target, (present) => withoutTags(present, keys)));
}

/** Throws ResourceNotFound, or ClusterNotFound for a cluster. */
export async function listTags(tx: ReadTx, scope: Scope, target: Taggable): Promise<Tag[]> {
  switch (target.kind) {
    case 'cluster':
      return (await tx.clusters.get({ ...scope, name: target.name }))?.tags ?? missing(target);
    case 'task':
      return (await tx.tasks.get({ ...scope, cluster: target.cluster, id: target.id }))?.desired.tags ?? missing(target);
    case 'task-definition':
      return (await tx.taskDefinitions.get({ ...scope, family: target.family, taskRevision: target.revision }))?.tags ?? missing(target);
    case 'service':
      return (await tx.services.get({ ...scope, cluster: target.cluster, name: target.name }))?.desired.tags ?? missing(target);
    case 'task-set': {
      const { cluster, name, id } = target;
      return (await tx.taskSets.get({ ...scope, cluster, name, id }))?.desired.tags ?? missing(target);
    }
  }
}

async function changeTags(tx: WriteTx, scope: Scope, target: Taggable, change: (present: Tag[]) => Tag[]): Promise<void> {
  switch (target.kind) {
    case 'cluster': {
      const cluster = (await tx.clusters.get({ ...scope, name: target.name })) ?? missing(target);
      await tx.clusters.put({ ...cluster, tags: change(cluster.tags) }, cluster.revision);
      return;
    }
    case 'task': {
      const task = (await tx.tasks.get({ ...scope, cluster: target.cluster, id: target.id })) ?? missing(target);
      await tx.tasks.setDesired(task.key, { ...task.desired, tags: change(task.desired.tags) }, task.revision);
      return;
    }
    case 'task-definition': {
      const key = { ...scope, family: target.family, taskRevision: target.revision };
      const definition = (await tx.taskDefinitions.get(key)) ?? missing(target);
      await tx.taskDefinitions.put({ ...definition, tags: change(definition.tags) }, definition.revision);
      return;
    }
    case 'service':
      return await changeServiceTags(tx, { ...scope, cluster: target.cluster, name: target.name }, target, change);
    case 'task-set': {
      const { cluster, name, id } = target;
      const set = (await tx.taskSets.get({ ...scope, cluster, name, id })) ?? missing(target);
      await tx.taskSets.setDesired(set.key, { ...set.desired, tags: change(set.desired.tags) }, set.revision);
      return;
    }
  }
}

/** Tasks that are made from now on get the new tags where a service's are propagated. */
async function changeServiceTags(tx: WriteTx, key: ServiceKey, target: Taggable, change: (present: Tag[]) => Tag[]): Promise<void> {
  const service = (await tx.services.get(key)) ?? missing(target);
  const desired = { ...service.desired, tags: change(service.desired.tags) };
  await tx.services.setDesired(key, desired, service.revision);
  const revisions = [desired.revisionId, service.observed.targetRevisionId].filter((id) => id !== null);
  await refreshTaskSide(tx, key, desired, revisions);
}

function missing(target: Taggable): never {
  if (target.kind === 'cluster') throw new Fault('ClusterNotFound', 'Cluster not found.');
  throw new Fault('ResourceNotFound', 'The specified resource was not found.');
}
