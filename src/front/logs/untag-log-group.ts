import type { UntagLogGroupRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { removeTags } from './tags.ts';

export function untagLogGroupOperation(logs: Logs): Handler<UntagLogGroupRequest, void> {
  return {
    name: 'UntagLogGroup',
    async handle(input, scope) {
      await removeTags(logs, scope, input.logGroupName ?? '', input.tags ?? []);
    },
  };
}
