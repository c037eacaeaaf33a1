/** Tags of buckets and objects. */
import type {
  DeleteBucketTaggingCommandInput,
  DeleteObjectTaggingCommandInput,
  GetBucketTaggingCommandInput,
  GetObjectTaggingCommandInput,
  PutBucketTaggingCommandInput,
  PutObjectTaggingCommandInput,
} from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import { s3Fault } from '#objects/index.ts';
import { s3Operation, hidden, ownBucket, type S3Deps } from './operation.ts';
import { readTags, tagView } from './tags.ts';
import { assertNoVersion } from './versions.ts';

export function taggingOperations(deps: S3Deps): Handler[] {
  const { objects } = deps;
  return [
    s3Operation('GetBucketTagging', async (input: GetBucketTaggingCommandInput, context) => {
      const { tags, name } = ownBucket(deps, context, input);
      if (tags.length === 0) throw s3Fault('NoSuchTagSet', 'The TagSet does not exist', { BucketName: name });
      return { TagSet: tagView(tags) };
    }),
    s3Operation('PutBucketTagging', async (input: PutBucketTaggingCommandInput, context) => {
      ownBucket(deps, context, input);
      objects.changeBucket(input.Bucket ?? '', { tags: readTags(input.Tagging?.TagSet, limits.bucketTags) });
      return {};
    }),
    s3Operation('DeleteBucketTagging', async (input: DeleteBucketTaggingCommandInput, context) => {
      ownBucket(deps, context, input);
      objects.changeBucket(input.Bucket ?? '', { tags: [] });
      return {};
    }),
    s3Operation('GetObjectTagging', async (input: GetObjectTaggingCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      assertNoVersion(input.VersionId);
      const object = await hidden(context, name, () => objects.head(name, input.Key ?? ''));
      return { TagSet: tagView(object.tags) };
    }),
    s3Operation('PutObjectTagging', async (input: PutObjectTaggingCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      assertNoVersion(input.VersionId);
      const tags = readTags(input.Tagging?.TagSet, limits.objectTags);
      await hidden(context, name, () => objects.changeTags(name, input.Key ?? '', tags));
      return {};
    }),
    s3Operation('DeleteObjectTagging', async (input: DeleteObjectTaggingCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      assertNoVersion(input.VersionId);
      await hidden(context, name, () => objects.changeTags(name, input.Key ?? '', []));
      return {};
    }),
  ];
}
