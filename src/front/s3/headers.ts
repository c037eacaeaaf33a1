/** What comes with an object in headers, and goes back in them. */
import { limits } from '#base/limits.ts';
import { s3Fault, type ObjectHeaders, type ObjectRecord } from '#objects/index.ts';
import { aclsOff } from './buckets.ts';
import { invalid, notHere } from './operation.ts';

export const DEFAULT_TYPE = 'binary/octet-stream';

type Given = {
  ContentType?: string | undefined;
  CacheControl?: string | undefined;
  ContentDisposition?: string | undefined;
  ContentEncoding?: string | undefined;
  ContentLanguage?: string | undefined;
  Expires?: Date | undefined;
  WebsiteRedirectLocation?: string | undefined;
  Metadata?: Record<string, string> | undefined;
  StorageClass?: string | undefined;
};

/** Throws MetadataTooLarge and InvalidStorageClass. */
export function readHeaders(input: Given): ObjectHeaders {
  const metadata = input.Metadata ?? {};
  const bytes = Object.entries(metadata).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (bytes > limits.objectMetadataBytes) {
    throw s3Fault('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
      Size: String(bytes),
      MaxSizeAllowed: String(limits.objectMetadataBytes),
    });
  }
  return {
    contentType: input.ContentType ?? null,
    cacheControl: input.CacheControl ?? null,
    contentDisposition: input.ContentDisposition ?? null,
    contentEncoding: withoutChunks(input.ContentEncoding),
    contentLanguage: input.ContentLanguage ?? null,
    expires: input.Expires?.toUTCString() ?? null,
    redirect: input.WebsiteRedirectLocation ?? null,
    metadata,
    storageClass: storageClassOf(input.StorageClass),
  };
}

/** How the body travels is no property of the object. */
function withoutChunks(encoding: string | undefined): string | null {
  const rest = (encoding ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '' && part !== 'aws-chunked').join(','); // prettier-ignore
  return rest === '' ? null : rest;
}

/** All are kept on the same disk; those that must be restored first would lie about it. */
const storageClasses = ['STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR'];

function storageClassOf(wish: string | undefined): string {
  if (wish === undefined) return 'STANDARD';
  if (['GLACIER', 'DEEP_ARCHIVE', 'OUTPOSTS', 'SNOW', 'EXPRESS_ONEZONE'].includes(wish)) throw notHere(`storage class '${wish}'`);
  if (!storageClasses.includes(wish)) throw s3Fault('InvalidStorageClass', 'The storage class you specified is not valid');
  return wish;
}

type Refused = {
  ACL?: string | undefined;
  GrantFullControl?: string | undefined;
  GrantRead?: string | undefined;
  GrantReadACP?: string | undefined;
  GrantWriteACP?: string | undefined;
  ServerSideEncryption?: string | undefined;
  SSECustomerAlgorithm?: string | undefined;
  SSEKMSKeyId?: string | undefined;
  ObjectLockMode?: string | undefined;
  ObjectLockLegalHoldStatus?: string | undefined;
  ObjectLockRetainUntilDate?: Date | undefined;
  WriteOffsetBytes?: number | undefined;
};

/** What would be lost if it were passed over: encryption, locks, rights. */
export function assertNothingElse(input: Refused): void {
  const { ACL, GrantFullControl, GrantRead, GrantReadACP, GrantWriteACP } = input;
  if (ACL !== undefined && ACL !== 'private' && ACL !== 'bucket-owner-full-control') throw aclsOff();
  if ((GrantFullControl ?? GrantRead ?? GrantReadACP ?? GrantWriteACP) !== undefined) throw aclsOff();
  if (input.SSECustomerAlgorithm !== undefined) throw notHere('encryption with customer-provided keys (SSE-C)');
  if ((input.ServerSideEncryption ?? input.SSEKMSKeyId) !== undefined) throw notHere(`server-side encryption ('${input.ServerSideEncryption ?? 'aws:kms'}')`); // prettier-ignore
  if ((input.ObjectLockMode ?? input.ObjectLockLegalHoldStatus ?? input.ObjectLockRetainUntilDate) !== undefined)
    throw notHere('object lock');
  if (input.WriteOffsetBytes !== undefined) throw notHere('appending to an object');
}

/** `"ETAG"`, `ETAG` and `*`. */
export const bareEtag = (text: string): string => text.trim().replace(/^"(.*)"$/, '$1');

/** If-None-Match of a write takes `*` only, as in AWS. */
export function writeCondition({ IfMatch, IfNoneMatch }: { IfMatch?: string | undefined; IfNoneMatch?: string | undefined }) {
  if (IfNoneMatch !== undefined && IfNoneMatch !== '*') throw notHere('If-None-Match with an ETag on a write');
  if (IfNoneMatch !== undefined && IfMatch !== undefined) throw invalid('If-Match and If-None-Match can not stand together.');
  return {
    ifNoneMatch: IfNoneMatch === undefined ? undefined : ('*' as const),
    ifMatch: IfMatch === undefined ? undefined : bareEtag(IfMatch),
  };
}

/** The headers that GetObject and HeadObject tell. */
export function headersView({ headers, modifiedAt, etag, tags }: ObjectRecord) {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, redirect, metadata, storageClass } =
    headers;
  return {
    AcceptRanges: 'bytes',
    LastModified: new Date(modifiedAt),
    ETag: `"${etag}"`,
    ContentType: contentType ?? DEFAULT_TYPE,
    Metadata: metadata,
    ...(cacheControl === null ? {} : { CacheControl: cacheControl }),
    ...(contentDisposition === null ? {} : { ContentDisposition: contentDisposition }),
    ...(contentEncoding === null ? {} : { ContentEncoding: contentEncoding }),
    ...(contentLanguage === null ? {} : { ContentLanguage: contentLanguage }),
    ...(expires === null ? {} : { Expires: new Date(expires) }),
    ...(redirect === null ? {} : { WebsiteRedirectLocation: redirect }),
    ...(storageClass === 'STANDARD' ? {} : { StorageClass: storageClass }),
    ...(tags.length === 0 ? {} : { TagCount: tags.length }),
  };
}
