import type { AddTagsCommandInput, AddTagsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { tagElbResources, type IntentDeps } from '#intent/index.ts';
import { resourceArns, tagsOf } from './input.ts';

type Output = Omit<AddTagsCommandOutput, '$metadata'>;

export function addTagsOperation(deps: IntentDeps): Handler<AddTagsCommandInput, Output> {
  return {
    name: 'AddTags',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await tagElbResources(deps, scope, resourceArns(input.ResourceArns), tagsOf(input.Tags));
      return {};
    },
  };
}
