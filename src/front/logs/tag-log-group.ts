import type { TagLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { addTags } from './tags.ts';

export function tagLogGroupOperation(logs: Logs): Handler<TagLogGroupRequest, void> {
  return {
    name: 'TagLogGroup',
    async handle(input, scope) {
      await addTags(logs, scope, input.logGroupName ?? '', input.tags ?? {});
    },
  };
}
