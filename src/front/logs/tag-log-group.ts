import type { TagLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';
import { addTags } from './tags.ts';

export function tagLogGroupOperation(logs: Logs): Operation<TagLogGroupRequest, void> {
  return {
    name: 'TagLogGroup',
    action: 'logs:TagLogGroup',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
    async handle(input, scope) {
      await addTags(logs, scope, input.logGroupName ?? '', input.tags ?? {});
    },
  };
}
