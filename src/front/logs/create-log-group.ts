import type { CreateLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';

export function createLogGroupOperation(logs: Logs): Operation<CreateLogGroupRequest, void> {
  return {
    name: 'CreateLogGroup',
    action: 'logs:CreateLogGroup',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
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
