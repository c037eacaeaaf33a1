import type { DeleteTaskSetRequest, DeleteTaskSetResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { deleteTaskSet, type IntentDeps } from '#intent/index.ts';
import { describeTaskSet } from './service/describe-task-set.ts';
import { taskSetTarget } from './service/task-set-input.ts';

/** The task set is DRAINING until its tasks have ended. */
export function deleteTaskSetOperation(deps: IntentDeps): Handler<DeleteTaskSetRequest, DeleteTaskSetResponse> {
  return {
    name: 'DeleteTaskSet',
    async handle(input, context) {
      const target = taskSetTarget(context, input, input.taskSet ?? '');
      const record = await deleteTaskSet(deps, context, { ...target, force: input.force ?? false });
      return { taskSet: await deps.store.read((tx) => describeTaskSet(tx, record, ['TAGS'])) };
    },
  };
}
