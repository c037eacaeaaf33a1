import type { ListTagsForResourceRequest, ListTagsForResourceResponse } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfArn } from './arn.ts';
import { tagsOf } from './tags.ts';

export function listTagsForResourceOperation(logs: Logs): Operation<ListTagsForResourceRequest, ListTagsForResourceResponse> {
  return {
    name: 'ListTagsForResource',
    action: 'logs:ListTagsForResource',
    resources: (input) => [input.resourceArn ?? ''],
    async handle(input, scope) {
      return { tags: await tagsOf(logs, scope, nameOfArn(input.resourceArn ?? '', scope)) };
    },
  };
}
