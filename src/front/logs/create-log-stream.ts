import type { CreateLogStreamRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { streamArn } from './arn.ts';

export function createLogStreamOperation(logs: Logs): Operation<CreateLogStreamRequest, void> {
  return {
    name: 'CreateLogStream',
    action: 'logs:CreateLogStream',
    resources: (input, scope) => [streamArn(scope, input.logGroupName ?? '', input.logStreamName ?? '')],
    async handle(input, scope) {
      await logs.createStream(scope, input.logGroupName ?? '', input.logStreamName ?? '');
    },
  };
}
