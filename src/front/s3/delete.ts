/** DeleteObject and DeleteObjects. */
import type { DeleteObjectCommandInput, DeleteObjectsCommandInput } from '@aws-sdk/client-s3';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { s3Fault } from '#objects/index.ts';
import { s3Resource } from './access.ts';
import { bareEtag } from './headers.ts';
import { notHere, objectArn, s3Operation, ownBucket, type S3Deps } from './operation.ts';
import { assertNoVersion } from './versions.ts';

export function deleteOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('DeleteObject', (input: DeleteObjectCommandInput, context) => deleteOne(deps, input, context)),
    s3Operation('DeleteObjects', (input: DeleteObjectsCommandInput, context) => deleteMany(deps, input, context)),
  ];
}

async function deleteOne(deps: S3Deps, input: DeleteObjectCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const key = input.Key ?? '';
  assertNoVersion(input.VersionId);
  if ((input.IfMatchLastModifiedTime ?? input.IfMatchSize) !== undefined) throw notHere('deleting by size or time of last change');
  // What isn't there is refused only to who says what it should be.
  if (input.IfMatch !== undefined) deps.objects.head(name, key);
  await deps.objects.remove(name, [key], input.IfMatch === undefined ? {} : { ifMatch: bareEtag(input.IfMatch) });
  return {};
}

async function deleteMany(deps: S3Deps, input: DeleteObjectsCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const wanted = input.Delete?.Objects ?? [];
  if (wanted.length === 0 || wanted.length > limits.deleteObjects) {
    throw s3Fault('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
  }
  const errors: { Key: string; Code: string; Message: string }[] = [];
  const keys: string[] = [];
  for (const { Key: key = '', VersionId: version } of wanted) {
    try {
      assertNoVersion(version);
      await context.assertAllowed('s3:DeleteObject', [s3Resource(deps, objectArn(name, key))]);
      keys.push(key);
    } catch (error) {
      if (!isFault(error) || error.code === 'Internal') throw error;
      errors.push({ Key: key, Code: String(error.details['errorName'] ?? 'AccessDenied'), Message: error.message });
    }
  }
  if (keys.length > 0) await deps.objects.remove(name, keys);
  const deleted = input.Delete?.Quiet === true ? [] : keys.map((key) => ({ Key: key }));
  return { Deleted: deleted, Errors: errors };
}
