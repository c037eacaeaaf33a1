import type { DeleteLogStreamRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { streamArn } from './arn.ts';

export function deleteLogStreamOperation(logs: Logs): Operation<DeleteLogStreamRequest, void> {
  return {
    name: 'DeleteLogStream',
    action: 'logs:DeleteLogStream',
    resources: (input, scope) => [streamArn(scope, input.logGroupName ?? '', input.logStreamName ?? '')],
    async handle(input, scope) {
      await logs.deleteStream(scope, input.logGroupName ?? '', input.logStreamName ?? '');
    },
  };
}
