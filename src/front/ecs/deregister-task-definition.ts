import type { DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse } from '@aws-sdk/client-ecs';
import { taskDefinitionRef } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { deregisterTaskDefinition, type IntentDeps } from '#intent/index.ts';
import { describeDefinition } from './describe-task-definition-record.ts';

export function deregisterTaskDefinitionOperation(
  deps: IntentDeps,
): Handler<DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse> {
  return {
    name: 'DeregisterTaskDefinition',
    async handle(input, context) {
      const record = await deregisterTaskDefinition(deps, context, taskDefinitionRef(context, input.taskDefinition ?? ''));
      return { taskDefinition: describeDefinition(record) };
    },
  };
}
