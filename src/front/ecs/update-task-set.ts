import type { UpdateTaskSetRequest, UpdateTaskSetResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import type { Handler } from '#gateway/types.ts';
import { scaleTaskSet, type IntentDeps } from '#intent/index.ts';
import { describeTaskSet } from './service/describe-task-set.ts';
import { scaleOf, taskSetTarget } from './service/task-set-input.ts';

export function updateTaskSetOperation(deps: IntentDeps): Handler<UpdateTaskSetRequest, UpdateTaskSetResponse> {
  return {
    name: 'UpdateTaskSet',
    async handle(input, context) {
      if (input.scale === undefined) throw new Fault('InvalidParameter', 'scale can not be null.');
      const target = taskSetTarget(context, input, input.taskSet ?? '');
      const record = await scaleTaskSet(deps, context, { ...target, scale: scaleOf(input.scale) });
      return { taskSet: await deps.store.read((tx) => describeTaskSet(tx, record, ['TAGS'])) };
    },
  };
}
