import type { UntagLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';
import { removeTags } from './tags.ts';

export function untagLogGroupOperation(logs: Logs): Operation<UntagLogGroupRequest, void> {
  return {
    name: 'UntagLogGroup',
    action: 'logs:UntagLogGroup',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
    async handle(input, scope) {
      await removeTags(logs, scope, input.logGroupName ?? '', input.tags ?? []);
    },
  };
}
