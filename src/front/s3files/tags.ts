/** Tags of file systems and access points. */
import type {
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-s3files';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { accessPointOf, bucketSystemOf, s3FilesFamily, setS3FilesTags } from '#intent/index.ts';
import type { S3FilesDeps } from './index.ts';
import { resourceIdOf, tagsOf } from './input.ts';
import { s3FilesOperation } from './operation.ts';

export function tagOperations(deps: S3FilesDeps): Handler[] {
  return [
    s3FilesOperation<TagResourceRequest, object>('TagResource', async (input, context) => {
      const tags = tagsOf(input.tags);
      await setS3FilesTags(deps, context, resourceIdOf(context, input.resourceId), (present) => mergeTags(present, tags));
      return {};
    }),
    s3FilesOperation<UntagResourceRequest, object>('UntagResource', async (input, context) => {
      const keys = input.tagKeys ?? [];
      await setS3FilesTags(deps, context, resourceIdOf(context, input.resourceId), (present) => withoutTags(present, keys));
      return {};
    }),
    s3FilesOperation<ListTagsForResourceRequest, ListTagsForResourceResponse>('ListTagsForResource', async (input, context) => {
      const id = resourceIdOf(context, input.resourceId);
      const tags = await deps.store.read(async (tx) =>
        id.startsWith('fsap-')
          ? (await accessPointOf(tx, context, id, s3FilesFamily)).tags
          : (await bucketSystemOf(tx, context, id)).desired.tags,
      );
      return { tags };
    }),
  ];
}
