import type { UntagResourceRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfArn } from './arn.ts';
import { removeTags } from './tags.ts';

export function untagResourceOperation(logs: Logs): Handler<UntagResourceRequest, void> {
  return {
    name: 'UntagResource',
    async handle(input, scope) {
      await removeTags(logs, scope, nameOfArn(input.resourceArn ?? '', scope), input.tagKeys ?? []);
    },
  };
}
