import type { UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { setPrimaryTaskSet, type IntentDeps } from '#intent/index.ts';
import { describeTaskSet } from './service/describe-task-set.ts';
import { taskSetTarget } from './service/task-set-input.ts';

export function updateServicePrimaryTaskSetOperation(
  deps: IntentDeps,
): Handler<UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse> {
  return {
    name: 'UpdateServicePrimaryTaskSet',
    async handle(input, context) {
      const record = await setPrimaryTaskSet(deps, context, taskSetTarget(context, input, input.primaryTaskSet ?? ''));
      return { taskSet: await deps.store.read((tx) => describeTaskSet(tx, record, ['TAGS'])) };
    },
  };
}
