import type { DeleteLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';

export function deleteLogGroupOperation(logs: Logs): Handler<DeleteLogGroupRequest, void> {
  return {
    name: 'DeleteLogGroup',
    async handle(input, scope) {
      await logs.deleteGroup(scope, input.logGroupName ?? '');
    },
  };
}
