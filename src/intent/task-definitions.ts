/** Wishes about task definitions. What a definition says is the front door's business; here it has a family, revisions and a life. */
import { Fault } from '#base/fault.ts';
import type { TaskDefinitionRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export type DefinitionRef = { family: string; revision: number | undefined };

/** Adds a revision to a family; numbers are never used twice. */
export async function registerTaskDefinition(
  deps: IntentDeps,
  scope: Scope,
  wish: { family: string; definition: Record<string, unknown>; tags: Tag[]; registeredBy: string },
): Promise<TaskDefinitionRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const taskRevision = (await tx.lastTaskRevision(scope, wish.family)) + 1;
    return await tx.taskDefinitions.put(
      {
        key: { ...scope, family: wish.family, taskRevision },
        status: 'ACTIVE',
        registeredAt: now,
        registeredBy: wish.registeredBy,
        deregisteredAt: null,
        tags: wish.tags,
        definition: wish.definition,
      },
      0,
    );
  });
}

/** The named revision, or the newest ACTIVE one; undefined when there is none. */
export async function findTaskDefinition(tx: ReadTx, scope: Scope, ref: DefinitionRef): Promise<TaskDefinitionRecord | undefined> {
  if (ref.revision !== undefined) return await tx.taskDefinitions.get({ ...scope, family: ref.family, taskRevision: ref.revision });
  // Newest first: nearly always the first one is it.
  for (let taskRevision = await tx.lastTaskRevision(scope, ref.family); taskRevision > 0; taskRevision--) {
    const record = await tx.taskDefinitions.get({ ...scope, family: ref.family, taskRevision });
    if (record?.status === 'ACTIVE') return record;
  }
  return undefined;
}

/** ACTIVE -> INACTIVE; what runs goes on. Deregistering twice changes nothing. Throws ClientError when there is none. */
export async function deregisterTaskDefinition(deps: IntentDeps, scope: Scope, ref: DefinitionRef): Promise<TaskDefinitionRecord> {
  if (ref.revision === undefined)
    throw new Fault('ClientError', 'Task definition revision is missing: give family:revision or the full ARN.');
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const record = await findTaskDefinition(tx, scope, ref);
    if (record === undefined) throw new Fault('ClientError', 'The specified task definition does not exist.');
    if (record.status !== 'ACTIVE') return record;
    return await tx.taskDefinitions.put({ ...record, status: 'INACTIVE', deregisteredAt: now }, record.revision);
  });
}

export type DeleteFailure = { ref: DefinitionRef; reason: 'TASK_DEFINITION_NOT_FOUND' | 'TASK_DEFINITION_NOT_INACTIVE' };

/** INACTIVE -> DELETE_IN_PROGRESS, each on its own. The record goes on being describable, as in AWS while something may use it. */
export async function deleteTaskDefinitions(
  deps: IntentDeps,
  scope: Scope,
  refs: DefinitionRef[],
): Promise<{ deleted: TaskDefinitionRecord[]; failures: DeleteFailure[] }> {
  return await deps.store.write(async (tx) => {
    const deleted: TaskDefinitionRecord[] = [];
    const failures: DeleteFailure[] = [];
    for (const ref of refs) {
      const record = ref.revision === undefined ? undefined : await findTaskDefinition(tx, scope, ref);
      if (record === undefined) failures.push({ ref, reason: 'TASK_DEFINITION_NOT_FOUND' });
      else if (record.status === 'ACTIVE') failures.push({ ref, reason: 'TASK_DEFINITION_NOT_INACTIVE' });
      else if (record.status === 'DELETE_IN_PROGRESS') deleted.push(record);
      else deleted.push(await tx.taskDefinitions.put({ ...record, status: 'DELETE_IN_PROGRESS' }, record.revision));
    }
    return { deleted, failures };
  });
}
