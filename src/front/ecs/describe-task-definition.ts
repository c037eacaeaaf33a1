import type { DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { taskDefinitionRef } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { findTaskDefinition, type IntentDeps } from '#intent/index.ts';
import { describeDefinition } from './describe-task-definition-record.ts';

export function describeTaskDefinitionOperation(deps: IntentDeps): Handler<DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse> {
  return {
    name: 'DescribeTaskDefinition',
    async handle(input, context) {
      const ref = taskDefinitionRef(context, input.taskDefinition ?? '');
      const record = await deps.store.read((tx) => findTaskDefinition(tx, context, ref));
      if (record === undefined) throw new Fault('ClientError', 'Unable to describe task definition.');
      return {
        taskDefinition: describeDefinition(record),
        ...(input.include?.includes('TAGS') ? { tags: record.tags } : {}),
      };
    },
  };
}
