import type { UntagResourceRequest, UntagResourceResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { untagResource, type IntentDeps } from '#intent/index.ts';
import { taggableOf } from './taggable.ts';

export function untagResourceOperation(deps: IntentDeps): Operation<UntagResourceRequest, UntagResourceResponse> {
  return {
    name: 'UntagResource',
    action: 'ecs:UntagResource',
    resources: (input) => [input.resourceArn ?? '*'],
    async handle(input, context) {
      await untagResource(deps, context, taggableOf(context, input.resourceArn), input.tagKeys ?? []);
      return {};
    },
  };
}
