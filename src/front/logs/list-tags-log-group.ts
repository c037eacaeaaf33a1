import type { ListTagsLogGroupRequest, ListTagsLogGroupResponse } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';
import { tagsOf } from './tags.ts';

export function listTagsLogGroupOperation(logs: Logs): Operation<ListTagsLogGroupRequest, ListTagsLogGroupResponse> {
  return {
    name: 'ListTagsLogGroup',
    action: 'logs:ListTagsLogGroup',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
    async handle(input, scope) {
      return { tags: await tagsOf(logs, scope, input.logGroupName ?? '') };
    },
  };
}
