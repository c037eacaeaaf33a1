import type { AddTagsCommandInput, AddTagsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Operation } from '#gateway/types.ts';
import { tagElbResources, type IntentDeps } from '#intent/index.ts';
import { resourceArns, tagsOf } from './input.ts';

type Output = Omit<AddTagsCommandOutput, '$metadata'>;

export function addTagsOperation(deps: IntentDeps): Operation<AddTagsCommandInput, Output> {
  return {
    name: 'AddTags',
    action: 'elasticloadbalancing:AddTags',
    resources: (input) => input.ResourceArns ?? [],
    async handle(input, { account, region }) {
      const scope = { account, region };
      await tagElbResources(deps, scope, resourceArns(input.ResourceArns), tagsOf(input.Tags));
      return {};
    },
  };
}
