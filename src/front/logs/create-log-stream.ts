import type { CreateLogStreamRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';

export function createLogStreamOperation(logs: Logs): Handler<CreateLogStreamRequest, void> {
  return {
    name: 'CreateLogStream',
    async handle(input, scope) {
      await logs.createStream(scope, input.logGroupName ?? '', input.logStreamName ?? '');
    },
  };
}
