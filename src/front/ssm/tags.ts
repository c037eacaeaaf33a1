/** Tags of parameters. Systems Manager's other kinds of resources aren't here. */
import type {
  AddTagsToResourceRequest,
  ListTagsForResourceRequest,
  ListTagsForResourceResult,
  RemoveTagsFromResourceRequest,
} from '@aws-sdk/client-ssm';
import { clip } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { findParameter, parameterFault, tagParameter } from '#intent/index.ts';
import type { SecretDeps } from '#intent/index.ts';

import { readTags, tagView } from '#gateway/key-value-tags.ts';
import { operation } from './operation.ts';

type OfResource = { ResourceType: string | undefined; ResourceId: string | undefined };

export function tagOperations(deps: SecretDeps): Handler[] {
  return [
    operation<AddTagsToResourceRequest, object>('AddTagsToResource', async (input, context) => {
      assertParameter(input);
      await tagParameter(deps, context, input.ResourceId ?? '', { add: readTags(input.Tags), remove: [] });
      return {};
    }),
    operation<RemoveTagsFromResourceRequest, object>('RemoveTagsFromResource', async (input, context) => {
      assertParameter(input);
      await tagParameter(deps, context, input.ResourceId ?? '', { add: [], remove: input.TagKeys ?? [] });
      return {};
    }),
    operation<ListTagsForResourceRequest, ListTagsForResourceResult>('ListTagsForResource', async (input, context) => {
      assertParameter(input);
      const name = input.ResourceId ?? '';
      const found = await deps.store.read((tx) => findParameter(tx, context, name));
      if (found !== undefined) return { TagList: tagView(found.tags) };
      const text = `The resource ID "${clip(name)}" is not valid. Verify that you entered the correct ID and try again.`;
      throw parameterFault('InvalidResourceId', text, 'ResourceNotFound');
    }),
  ];
}

function assertParameter({ ResourceType }: OfResource): void {
  if (ResourceType === 'Parameter') return;
  throw parameterFault('InvalidResourceType', `'${clip(ResourceType ?? '')}' has no tags here: only Parameter.`);
}
