import type { DeleteTaskSetRequest, DeleteTaskSetResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { deleteTaskSet, type IntentDeps } from '#intent/index.ts';
import { describeTaskSet } from './service/describe-task-set.ts';
import { taskSetResource, taskSetTarget } from './service/task-set-input.ts';

/** The task set is DRAINING until its tasks have ended. */
export function deleteTaskSetOperation(deps: IntentDeps): Operation<DeleteTaskSetRequest, DeleteTaskSetResponse> {
  return {
    name: 'DeleteTaskSet',
    action: 'ecs:DeleteTaskSet',
    resources: (input, scope) => [taskSetResource(scope, input, input.taskSet)],
    async handle(input, context) {
      const target = taskSetTarget(context, input, input.taskSet ?? '');
      const record = await deleteTaskSet(deps, context, { ...target, force: input.force ?? false });
      return { taskSet: await deps.store.read((tx) => describeTaskSet(tx, record, ['TAGS'])) };
    },
  };
}
