import type { UntagResourceRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfArn } from './arn.ts';
import { removeTags } from './tags.ts';

export function untagResourceOperation(logs: Logs): Operation<UntagResourceRequest, void> {
  return {
    name: 'UntagResource',
    action: 'logs:UntagResource',
    resources: (input) => [input.resourceArn ?? ''],
    async handle(input, scope) {
      await removeTags(logs, scope, nameOfArn(input.resourceArn ?? '', scope), input.tagKeys ?? []);
    },
  };
}
