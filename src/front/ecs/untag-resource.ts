import type { UntagResourceRequest, UntagResourceResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { untagResource, type IntentDeps } from '#intent/index.ts';
import { taggableOf } from './taggable.ts';

export function untagResourceOperation(deps: IntentDeps): Handler<UntagResourceRequest, UntagResourceResponse> {
  return {
    name: 'UntagResource',
    async handle(input, context) {
      await untagResource(deps, context, taggableOf(context, input.resourceArn), input.tagKeys ?? []);
      return {};
    },
  };
}
