import type { DeleteLogStreamRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';

export function deleteLogStreamOperation(logs: Logs): Handler<DeleteLogStreamRequest, void> {
  return {
    name: 'DeleteLogStream',
    async handle(input, scope) {
      await logs.deleteStream(scope, input.logGroupName ?? '', input.logStreamName ?? '');
    },
  };
}
