import type { ListTagsForResourceRequest, ListTagsForResourceResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { listTags, type IntentDeps } from '#intent/index.ts';
import { taggableOf } from './taggable.ts';

export function listTagsForResourceOperation(deps: IntentDeps): Handler<ListTagsForResourceRequest, ListTagsForResourceResponse> {
  return {
    name: 'ListTagsForResource',
    async handle(input, context) {
      const target = taggableOf(context, input.resourceArn);
      return { tags: await deps.store.read((tx) => listTags(tx, context, target)) };
    },
  };
}
