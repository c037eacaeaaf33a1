import type { TagResourceRequest, TagResourceResponse } from '@aws-sdk/client-ecs';
import { assertTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { tagResource, type IntentDeps } from '#intent/index.ts';
import { taggableOf } from './taggable.ts';

export function tagResourceOperation(deps: IntentDeps): Handler<TagResourceRequest, TagResourceResponse> {
  return {
    name: 'TagResource',
    async handle(input, context) {
      await tagResource(deps, context, taggableOf(context, input.resourceArn), assertTags(input.tags ?? []));
      return {};
    },
  };
}
