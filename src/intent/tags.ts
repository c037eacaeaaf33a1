/** Tags of clusters, tasks and task definitions, wherever they are kept. */
import { Fault } from '#base/fault.ts';
import type { Scope } from '#domain/scope.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

/** What can be tagged, by the parts of its key beyond account and region. */
export type Taggable =
  | { kind: 'cluster'; name: string }
  | { kind: 'task'; cluster: string; id: string }
  | { kind: 'task-definition'; family: string; revision: number };

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
  }
}

function missing(target: Taggable): never {
  if (target.kind === 'cluster') throw new Fault('ClusterNotFound', 'Cluster not found.');
  throw new Fault('ResourceNotFound', 'The specified resource was not found.');
}
