/** Tags become digests once for each revision, so that all of its tasks run the same bytes: what the first task pulled, later ones use. */
import { limits } from '#base/limits.ts';
import type { Draft } from './draft.ts';
import type { PlanTask } from './types.ts';

export function learnDigests(draft: Draft): void {
  const tasks: PlanTask[] = [...draft.snapshot.ended, ...draft.snapshot.tasks];
  for (const task of tasks.toSorted((a, b) => a.createdAt - b.createdAt)) {
    const observed = draft.revisions.get(task.revisionId);
    if (observed === undefined) continue;
    for (const { name, followsTag } of draft.snapshot.revisions.get(task.revisionId)?.desired.template.containers ?? []) {
      const digest = task.imageDigests[name];
      if (digest !== undefined && !followsTag) observed.imageDigests[name] ??= digest;
    }
  }
}

/**
 * How many tasks of a new revision may be under way: one until its digests are known or a task runs anyway. After three tries that told nothing
 * the others go on with the tag (ECS developer guide, "Container image resolution").
 */
export function allowedByDigests(draft: Draft, revisionId: string, failedTasks: number): number {
  const template = draft.snapshot.revisions.get(revisionId)?.desired.template;
  const known = draft.revisions.get(revisionId)?.imageDigests ?? {};
  const unknown =
    template?.containers.some(({ image, name, followsTag }) => !followsTag && !image.includes('@') && known[name] === undefined) ?? false;
  if (!unknown || failedTasks >= limits.serviceDigestTries) return Infinity;
  const ran = [...draft.snapshot.tasks, ...draft.snapshot.ended].some((task) => task.revisionId === revisionId && task.startedAt !== null);
  return ran ? Infinity : 1;
}
