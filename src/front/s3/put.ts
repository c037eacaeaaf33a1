/** PutObject. */
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler, StreamedBody } from '#gateway/types.ts';
import { DEFAULT_CHECKSUM, s3Fault } from '#objects/index.ts';
import { checksumView, promiseOf } from './checksums.ts';
import { assertNothingElse, readHeaders, writeCondition } from './headers.ts';
import { assertKeyName, s3Operation, ownBucket, type S3Deps } from './operation.ts';
import { headerTags } from './tags.ts';

/** What the gateway gives for `Body`. */
export type Streamed<In> = Omit<In, 'Body'> & { Body: StreamedBody };

export function putOperations(deps: S3Deps): Handler[] {
  return [s3Operation('PutObject', (input: Streamed<PutObjectCommandInput>, context) => put(deps, input, context))];
}

async function put(deps: S3Deps, input: Streamed<PutObjectCommandInput>, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const key = input.Key ?? '';
  assertKeyName(key);
  assertNothingElse(input);
  assertLength(input.Body.length, limits.objectPutBytes);
  const tags = headerTags(input.Tagging, limits.objectTags);
  const { algorithm, expected } = promiseOf(input as Record<string, unknown>, input.Body);
  const record = await deps.objects.put({
    bucket: name,
    key,
    headers: readHeaders(input),
    tags,
    body: input.Body,
    algorithm: algorithm ?? DEFAULT_CHECKSUM,
    expected,
    condition: writeCondition(input),
  });
  return { ETag: `"${record.etag}"`, ...checksumView(record.checksum) };
}

/** Throws MissingContentLength and EntityTooLarge. */
export function assertLength(length: number | undefined, max: number): void {
  if (length === undefined) throw s3Fault('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  if (length <= max) return;
  throw s3Fault('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
    ProposedSize: String(length),
    MaxSizeAllowed: String(max),
  });
}
