import type { DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { taskDefinitionArn, taskDefinitionRef } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { deleteTaskDefinitions, type IntentDeps } from '#intent/index.ts';
import { describeDefinition } from './describe-task-definition-record.ts';

const details = {
  TASK_DEFINITION_NOT_FOUND: 'The specified task definition does not exist. Specify a valid account, family, revision and try again.',
  TASK_DEFINITION_NOT_INACTIVE: 'The specified task definition is still in ACTIVE status. Please deregister the target and try again.',
};

export function deleteTaskDefinitionsOperation(deps: IntentDeps): Handler<DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse> {
  return {
    name: 'DeleteTaskDefinitions',
    async handle(input, context) {
      const refs = input.taskDefinitions ?? [];
      if (refs.length === 0 || refs.length > limits.deleteTaskDefinitions) {
        throw new Fault(
          'InvalidParameter',
          `taskDefinitions must have 1 to ${limits.deleteTaskDefinitions} items; there are ${refs.length}.`,
        );
      }
      const parsed = refs.map((ref) => taskDefinitionRef(context, ref));
      const { deleted, failures } = await deleteTaskDefinitions(deps, context, parsed);
      return {
        taskDefinitions: deleted.map(describeDefinition),
        failures: failures.map(({ ref, reason }) => ({
          arn: taskDefinitionArn(context, ref.family, ref.revision ?? 0),
          reason,
          detail: details[reason],
        })),
      };
    },
  };
}
