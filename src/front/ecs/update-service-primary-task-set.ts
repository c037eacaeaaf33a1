import type { UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { setPrimaryTaskSet, type IntentDeps } from '#intent/index.ts';
import { describeTaskSet } from './service/describe-task-set.ts';
import { serviceResource } from './service/service-resource.ts';
import { taskSetTarget } from './service/task-set-input.ts';

export function updateServicePrimaryTaskSetOperation(
  deps: IntentDeps,
): Operation<UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse> {
  return {
    name: 'UpdateServicePrimaryTaskSet',
    action: 'ecs:UpdateServicePrimaryTaskSet',
    resources: (input, scope) => [serviceResource(scope, input)],
    async handle(input, context) {
      const record = await setPrimaryTaskSet(deps, context, taskSetTarget(context, input, input.primaryTaskSet ?? ''));
      return { taskSet: await deps.store.read((tx) => describeTaskSet(tx, record, ['TAGS'])) };
    },
  };
}
