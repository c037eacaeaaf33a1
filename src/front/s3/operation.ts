/** What the operations share: the bucket that a call is about, and whether it is the caller's. */
import { createHash } from 'node:crypto';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { s3Fault, type BucketRecord, type Objects } from '#objects/index.ts';

export type S3Deps = { objects: Objects; clock: Clock };

export const bucketArn = (bucket: string): string => `arn:aws:s3:::${bucket}`;
export const objectArn = (bucket: string, key: string): string => `arn:aws:s3:::${bucket}/${key}`;

/** An operation of S3; `status`: of an answer where it isn't always the same. */
export const s3Operation = <In, Out>(
  name: string,
  handle: (input: In, context: CallContext) => Promise<Out>,
  status?: (output: Out) => number | undefined,
): Handler<In, Out> => ({ name, handle, ...(status === undefined ? {} : { status }) });

/** Throws NoSuchBucket, and AccessDenied where it is another account's. */
export function ownBucket(
  { objects }: S3Deps,
  { account }: CallContext,
  { Bucket, ExpectedBucketOwner }: { Bucket: string | undefined; ExpectedBucketOwner?: string | undefined },
): BucketRecord {
  const bucket = objects.bucket(Bucket ?? '');
  const isExpected = ExpectedBucketOwner === undefined || ExpectedBucketOwner === bucket.account;
  if (bucket.account !== account || !isExpected) throw new Fault('AccessDenied', 'Access Denied');
  return bucket;
}

/** Whoever may not list a bucket isn't told that a name of it is free (S3 API reference, GetObject, "Permissions"). */
export async function hidden<T>(context: CallContext, bucket: string, look: () => T): Promise<T> {
  try {
    return look();
  } catch (error) {
    if (error instanceof Fault && error.details['errorName'] === 'NoSuchKey')
      await context.assertAllowed('s3:ListBucket', [bucketArn(bucket)]);
    throw error;
  }
}

/** Throws KeyTooLongError. */
export function assertKeyName(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= limits.objectKeyBytes) return;
  throw s3Fault('KeyTooLongError', 'Your key is too long', { Size: String(bytes), MaxSizeAllowed: String(limits.objectKeyBytes) });
}

/** S3 names accounts by 64 hex digits. */
export function ownerOf(account: string): { ID: string } {
  return { ID: createHash('sha256').update(`owner:${account}`).digest('hex') };
}

/** What a request asks for and berth doesn't do. */
export function notHere(what: string): Fault {
  return new Fault('Unsupported', `berth does not implement ${clip(what, 200)} of S3 yet.`);
}

export function invalid(message: string, name?: string, value?: string): Fault {
  return s3Fault('InvalidArgument', message, { ...(name === undefined ? {} : { ArgumentName: name }), ...(value === undefined ? {} : { ArgumentValue: value.slice(0, 200) }) }); // prettier-ignore
}

/** A number of a query within bounds; AWS's text else. */
export function bounded(name: string, value: number | undefined, fallback: number, max: number): number {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < 0 || value > 2_147_483_647) throw invalid(`Argument ${name} must be an integer between 0 and 2147483647`, name, String(value)); // prettier-ignore
  return Math.min(value, max);
}
