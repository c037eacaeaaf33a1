import type { TagResourceRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfArn } from './arn.ts';
import { addTags } from './tags.ts';

export function tagResourceOperation(logs: Logs): Handler<TagResourceRequest, void> {
  return {
    name: 'TagResource',
    async handle(input, scope) {
      await addTags(logs, scope, nameOfArn(input.resourceArn ?? '', scope), input.tags ?? {});
    },
  };
}
