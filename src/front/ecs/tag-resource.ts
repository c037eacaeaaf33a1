import type { TagResourceRequest, TagResourceResponse } from '@aws-sdk/client-ecs';
import { assertTags } from '#domain/tags.ts';
import type { Operation } from '#gateway/types.ts';
import { tagResource, type IntentDeps } from '#intent/index.ts';
import { taggableOf } from './taggable.ts';

export function tagResourceOperation(deps: IntentDeps): Operation<TagResourceRequest, TagResourceResponse> {
  return {
    name: 'TagResource',
    action: 'ecs:TagResource',
    resources: (input) => [input.resourceArn ?? '*'],
    async handle(input, context) {
      await tagResource(deps, context, taggableOf(context, input.resourceArn), assertTags(input.tags ?? []));
      return {};
    },
  };
}
