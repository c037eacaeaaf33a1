import type { CreateLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';

export function createLogGroupOperation(logs: Logs): Handler<CreateLogGroupRequest, void> {
  return {
    name: 'CreateLogGroup',
    async handle(input, scope) {
      if (input.kmsKeyId !== undefined)
        throw new Fault('Unsupported', 'berth does not encrypt log groups with a KMS key yet; leave out kmsKeyId.');
      if ((input.logGroupClass ?? 'STANDARD') !== 'STANDARD') {
        throw new Fault('Unsupported', `berth has log groups of class STANDARD only, not ${input.logGroupClass}.`);
      }
      await logs.createGroup(scope, input.logGroupName ?? '', { tags: input.tags ?? {} });
    },
  };
}
