import type { DeleteLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';

export function deleteLogGroupOperation(logs: Logs): Operation<DeleteLogGroupRequest, void> {
  return {
    name: 'DeleteLogGroup',
    action: 'logs:DeleteLogGroup',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
    async handle(input, scope) {
      await logs.deleteGroup(scope, input.logGroupName ?? '');
    },
  };
}
