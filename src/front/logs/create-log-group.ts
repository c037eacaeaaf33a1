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
      const kind = input.logGroupClass ?? 'STANDARD';
      if (kind !== 'STANDARD' && kind !== 'INFREQUENT_ACCESS')
        throw new Fault('Unsupported', `berth has log groups of the classes STANDARD and INFREQUENT_ACCESS, not ${kind}.`);
      await logs.createGroup(scope, input.logGroupName ?? '', {
        tags: input.tags ?? {},
        class: kind,
        isProtected: input.deletionProtectionEnabled === true,
      });
    },
  };
}
