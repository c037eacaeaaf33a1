import type { RemoveTagsCommandInput, RemoveTagsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { untagElbResources, type IntentDeps } from '#intent/index.ts';
import { resourceArns } from './input.ts';

type Output = Omit<RemoveTagsCommandOutput, '$metadata'>;

export function removeTagsOperation(deps: IntentDeps): Handler<RemoveTagsCommandInput, Output> {
  return {
    name: 'RemoveTags',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await untagElbResources(deps, scope, resourceArns(input.ResourceArns), input.TagKeys ?? []);
      return {};
    },
  };
}
