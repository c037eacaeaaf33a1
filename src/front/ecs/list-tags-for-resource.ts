import type { ListTagsForResourceRequest, ListTagsForResourceResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { listTags, type IntentDeps } from '#intent/index.ts';
import { taggableOf } from './taggable.ts';

export function listTagsForResourceOperation(deps: IntentDeps): Operation<ListTagsForResourceRequest, ListTagsForResourceResponse> {
  return {
    name: 'ListTagsForResource',
    action: 'ecs:ListTagsForResource',
    resources: (input) => [input.resourceArn ?? '*'],
    async handle(input, context) {
      const target = taggableOf(context, input.resourceArn);
      return { tags: await deps.store.read((tx) => listTags(tx, context, target)) };
    },
  };
}
