import type { ListTagsForResourceRequest, ListTagsForResourceResponse } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfArn } from './arn.ts';
import { tagsOf } from './tags.ts';

export function listTagsForResourceOperation(logs: Logs): Handler<ListTagsForResourceRequest, ListTagsForResourceResponse> {
  return {
    name: 'ListTagsForResource',
    async handle(input, scope) {
      return { tags: await tagsOf(logs, scope, nameOfArn(input.resourceArn ?? '', scope)) };
    },
  };
}
