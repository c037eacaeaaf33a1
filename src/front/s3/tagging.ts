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
import type { Operation } from '#gateway/types.ts';
import { s3Fault } from '#objects/index.ts';
import { bucketOperation, hidden, objectOperation, ownBucket, type S3Deps } from './operation.ts';
import { readTags, tagView } from './tags.ts';
import { assertNoVersion } from './versions.ts';

export function taggingOperations(deps: S3Deps): Operation[] {
  const { objects } = deps;
  return [
    bucketOperation('GetBucketTagging', 'GetBucketTagging', async (input: GetBucketTaggingCommandInput, context) => {
      const { tags, name } = ownBucket(deps, context, input);
      if (tags.length === 0) throw s3Fault('NoSuchTagSet', 'The TagSet does not exist', { BucketName: name });
      return { TagSet: tagView(tags) };
    }),
    bucketOperation('PutBucketTagging', 'PutBucketTagging', async (input: PutBucketTaggingCommandInput, context) => {
      ownBucket(deps, context, input);
      objects.changeBucket(input.Bucket ?? '', { tags: readTags(input.Tagging?.TagSet, limits.bucketTags) });
      return {};
    }),
    bucketOperation('DeleteBucketTagging', 'PutBucketTagging', async (input: DeleteBucketTaggingCommandInput, context) => {
      ownBucket(deps, context, input);
      objects.changeBucket(input.Bucket ?? '', { tags: [] });
      return {};
    }),
    objectOperation('GetObjectTagging', 'GetObjectTagging', async (input: GetObjectTaggingCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      assertNoVersion(input.VersionId);
      const object = await hidden(context, name, () => objects.head(name, input.Key ?? ''));
      return { TagSet: tagView(object.tags) };
    }),
    objectOperation('PutObjectTagging', 'PutObjectTagging', async (input: PutObjectTaggingCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      assertNoVersion(input.VersionId);
      const tags = readTags(input.Tagging?.TagSet, limits.objectTags);
      await hidden(context, name, () => objects.changeTags(name, input.Key ?? '', tags));
      return {};
    }),
    objectOperation('DeleteObjectTagging', 'DeleteObjectTagging', async (input: DeleteObjectTaggingCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      assertNoVersion(input.VersionId);
      await hidden(context, name, () => objects.changeTags(name, input.Key ?? '', []));
      return {};
    }),
  ];
}
