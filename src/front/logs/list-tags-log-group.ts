import type { ListTagsLogGroupRequest, ListTagsLogGroupResponse } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { tagsOf } from './tags.ts';

export function listTagsLogGroupOperation(logs: Logs): Handler<ListTagsLogGroupRequest, ListTagsLogGroupResponse> {
  return {
    name: 'ListTagsLogGroup',
    async handle(input, scope) {
      return { tags: await tagsOf(logs, scope, input.logGroupName ?? '') };
    },
  };
}
