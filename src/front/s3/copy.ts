/** CopyObject, and how a copy's source is named. */
import type { CopyObjectCommandInput, UploadPartCopyCommandInput } from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { s3Fault, type ObjectRecord } from '#objects/index.ts';
import { s3Resource } from './access.ts';
import { algorithmOf, checksumView } from './checksums.ts';
import { assertNothingElse, bareEtag, readHeaders, writeCondition } from './headers.ts';
import { assertKeyName, hidden, invalid, objectArn, s3Operation, ownBucket, type S3Deps } from './operation.ts';
import { headerTags } from './tags.ts';
import { assertNoVersion } from './versions.ts';

export function copyOperations(deps: S3Deps): Handler[] {
  return [s3Operation('CopyObject', (input: CopyObjectCommandInput, context) => copy(deps, input, context))];
}

async function copy(deps: S3Deps, input: CopyObjectCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const key = input.Key ?? '';
  assertKeyName(key);
  assertNothingElse(input);
  const replacesHeaders = directive('x-amz-metadata-directive', input.MetadataDirective);
  const replacesTags = directive('x-amz-tagging-directive', input.TaggingDirective);
  const { bucket, source } = await copySource(deps, input, context);
  if (source.size > limits.objectPutBytes) {
    throw s3Fault(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${limits.objectPutBytes}`,
    );
  }
  const changes = replacesHeaders || (input.StorageClass ?? input.WebsiteRedirectLocation ?? input.ChecksumAlgorithm) !== undefined;
  if (bucket === name && source.key === key && !changes) {
    throw s3Fault('InvalidRequest', "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."); // prettier-ignore
  }
  const given = readHeaders(input);
  const headers = replacesHeaders ? given : { ...source.headers, storageClass: given.storageClass, redirect: given.redirect };
  const record = await deps.objects.put({
    bucket: name,
    key,
    headers,
    tags: replacesTags ? headerTags(input.Tagging, limits.objectTags) : source.tags,
    body: deps.objects.read(source, 0, source.size),
    algorithm: algorithmOf(input.ChecksumAlgorithm) ?? source.checksum.algorithm,
    expected: () => ({}),
    condition: writeCondition(input),
  });
  return { CopyObjectResult: { ETag: `"${record.etag}"`, LastModified: new Date(record.modifiedAt), ...checksumView(record.checksum) } };
}

function directive(name: string, value: string | undefined): boolean {
  if (value === undefined || value === 'COPY') return false;
  if (value === 'REPLACE') return true;
  throw invalid('Unknown metadata directive.', name, value);
}

type Sourced = Pick<CopyObjectCommandInput & UploadPartCopyCommandInput, 'CopySource' | 'CopySourceIfMatch' | 'CopySourceIfNoneMatch' | 'CopySourceIfModifiedSince' | 'CopySourceIfUnmodifiedSince' | 'ExpectedSourceBucketOwner'>; // prettier-ignore

/** The object that a copy is of, which the caller must be allowed to read. */
export async function copySource(deps: S3Deps, input: Sourced, context: CallContext): Promise<{ bucket: string; source: ObjectRecord }> {
  const { bucket, key } = readSource(input.CopySource ?? '');
  await context.assertAllowed('s3:GetObject', [s3Resource(deps, objectArn(bucket, key))]);
  ownBucket(deps, context, { Bucket: bucket, ExpectedBucketOwner: input.ExpectedSourceBucketOwner });
  const source = await hidden(context, bucket, () => deps.objects.head(bucket, key));
  const failed = (condition: string) =>
    s3Fault('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: condition });
  const {
    CopySourceIfMatch: match,
    CopySourceIfNoneMatch: none,
    CopySourceIfModifiedSince: since,
    CopySourceIfUnmodifiedSince: until,
  } = input;
  if (match !== undefined && bareEtag(match) !== source.etag) throw failed('x-amz-copy-source-If-Match');
  if (none !== undefined && bareEtag(none) === source.etag) throw failed('x-amz-copy-source-If-None-Match');
  if (since !== undefined && source.modifiedAt <= since.getTime()) throw failed('x-amz-copy-source-If-Modified-Since');
  if (match === undefined && until !== undefined && source.modifiedAt > until.getTime())
    throw failed('x-amz-copy-source-If-Unmodified-Since');
  return { bucket, source };
}

/** `BUCKET/KEY?versionId=V`, encoded as in a URL's query (`+` is a space), with or without a slash before it. Some clients encode the slash between the two as well. */
function readSource(text: string): { bucket: string; key: string } {
  const [encoded = '', query = ''] = text.split('?');
  const path = decoded(encoded, text).replace(/^\//, '');
  const cut = path.indexOf('/');
  if (cut <= 0 || cut === path.length - 1) throw invalid('Copy Source must mention the source bucket and key: sourcebucket/sourcekey', 'x-amz-copy-source', text); // prettier-ignore
  assertNoVersion(new URLSearchParams(query).get('versionId') ?? undefined);
  return { bucket: path.slice(0, cut), key: path.slice(cut + 1) };
}

function decoded(path: string, whole: string): string {
  try {
    return decodeURIComponent(path.replaceAll('+', ' '));
  } catch {
    throw invalid('Invalid copy source encoding.', 'x-amz-copy-source', whole);
  }
}
