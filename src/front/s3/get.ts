/** GetObject, HeadObject and what else tells of one object. */
import type { GetObjectAttributesCommandInput, GetObjectCommandInput, HeadObjectCommandInput, ObjectPart } from '@aws-sdk/client-s3';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { s3Fault, type ObjectRecord } from '#objects/index.ts';
import { checksumView } from './checksums.ts';
import { bareEtag, headersView } from './headers.ts';
import { bounded, hidden, invalid, notHere, s3Operation, ownBucket, type S3Deps } from './operation.ts';
import { readRange, type Span } from './range.ts';
import { assertNoVersion } from './versions.ts';

type Asked = Pick<GetObjectCommandInput, 'Bucket' | 'Key' | 'IfMatch' | 'IfNoneMatch' | 'IfModifiedSince' | 'IfUnmodifiedSince' | 'Range' | 'PartNumber' | 'VersionId' | 'SSECustomerAlgorithm' | 'ExpectedBucketOwner' | 'ChecksumMode' | 'ResponseCacheControl' | 'ResponseContentDisposition' | 'ResponseContentEncoding' | 'ResponseContentLanguage' | 'ResponseContentType' | 'ResponseExpires'>; // prettier-ignore

const partial = ({ ContentRange }: { ContentRange?: string | undefined }) => (ContentRange === undefined ? undefined : 206);

export function getOperations(deps: S3Deps): Handler[] {
  const { objects } = deps;
  return [
    s3Operation(
      'GetObject',
      async (input: GetObjectCommandInput, context) => {
        const { object, span, view } = await told(deps, input, context);
        return { ...view, Body: objects.read(object, span.from, span.to) };
      },
      partial,
    ),
    s3Operation('HeadObject', async (input: HeadObjectCommandInput, context) => (await told(deps, input, context)).view, partial), // prettier-ignore
    s3Operation('GetObjectAttributes', (input: GetObjectAttributesCommandInput, context) => attributes(deps, input, context)),
  ];
}

/** An object, which of its bytes are asked for, and what is said of them. */
async function told(deps: S3Deps, input: Asked, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  if (input.SSECustomerAlgorithm !== undefined) throw notHere('encryption with customer-provided keys (SSE-C)');
  assertNoVersion(input.VersionId);
  const object = await hidden(context, name, () => deps.objects.head(name, input.Key ?? ''));
  assertWanted(object, input);
  const span = spanOf(object, input);
  const whole = span.from === 0 && span.to === object.size;
  const view = {
    ...headersView(object),
    ...overrides(input),
    ContentLength: span.to - span.from,
    ...(span.isRange ? { ContentRange: `bytes ${span.from}-${span.to - 1}/${object.size}` } : {}),
    ...(input.PartNumber !== undefined && object.etag.includes('-') ? { PartsCount: object.pieces.length } : {}),
    // A part of the bytes has none.
    ...(input.ChecksumMode === 'ENABLED' && whole ? checksumView(object.checksum) : {}),
  };
  return { object, span, view };
}

/** RFC 9110, section 13.2.2, in S3's way: If-Match that holds outweighs If-Unmodified-Since, If-None-Match outweighs If-Modified-Since. */
function assertWanted(object: ObjectRecord, input: Asked): void {
  const matches = (text: string) => text.split(',').map(bareEtag).some((tag) => tag === '*' || tag === object.etag); // prettier-ignore
  const failed = (condition: string) =>
    s3Fault('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: condition });
  if (input.IfMatch !== undefined) {
    if (!matches(input.IfMatch)) throw failed('If-Match');
  } else if (input.IfUnmodifiedSince !== undefined && object.modifiedAt > input.IfUnmodifiedSince.getTime()) {
    throw failed('If-Unmodified-Since');
  }
  const unchanged =
    input.IfNoneMatch === undefined
      ? input.IfModifiedSince !== undefined && object.modifiedAt <= input.IfModifiedSince.getTime()
      : matches(input.IfNoneMatch);
  if (!unchanged) return;
  const headers = { ETag: `"${object.etag}"`, 'Last-Modified': new Date(object.modifiedAt).toUTCString() };
  throw new Fault('ClientError', 'Not Modified', { details: { errorName: 'NotModified', errorMembers: { headers } } });
}

function spanOf(object: ObjectRecord, { Range, PartNumber }: Asked): Span {
  if (PartNumber === undefined) return readRange(Range, object.size);
  if (Range !== undefined) throw s3Fault('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter.');
  if (!Number.isInteger(PartNumber) || PartNumber < 1 || PartNumber > limits.partNumbers) throw invalid('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', String(PartNumber)); // prettier-ignore
  const before = object.pieces.slice(0, PartNumber - 1).reduce((sum, [, bytes]) => sum + bytes, 0);
  const piece = object.pieces[PartNumber - 1];
  if (piece === undefined) {
    throw s3Fault('InvalidPartNumber', 'The requested partnumber is not satisfiable', {
      PartNumberRequested: String(PartNumber),
      ActualPartCount: String(object.pieces.length),
    });
  }
  return { from: before, to: before + piece[1], isRange: piece[1] > 0 };
}

/** What Node sends of a header (RFC 9110, section 5.5). */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Of a presigned URL's query, mostly: a name and a type for the browser. */
function overrides(input: Asked) {
  const { ResponseCacheControl, ResponseContentDisposition, ResponseContentEncoding, ResponseContentLanguage, ResponseContentType, ResponseExpires } = input; // prettier-ignore
  for (const value of [
    ResponseCacheControl,
    ResponseContentDisposition,
    ResponseContentEncoding,
    ResponseContentLanguage,
    ResponseContentType,
  ])
    if (value !== undefined && !HEADER_VALUE.test(value))
      throw s3Fault('InvalidArgument', 'Header value cannot be represented using ISO-8859-1.');
  return {
    ...(ResponseCacheControl === undefined ? {} : { CacheControl: ResponseCacheControl }),
    ...(ResponseContentDisposition === undefined ? {} : { ContentDisposition: ResponseContentDisposition }),
    ...(ResponseContentEncoding === undefined ? {} : { ContentEncoding: ResponseContentEncoding }),
    ...(ResponseContentLanguage === undefined ? {} : { ContentLanguage: ResponseContentLanguage }),
    ...(ResponseContentType === undefined ? {} : { ContentType: ResponseContentType }),
    ...(ResponseExpires === undefined ? {} : { Expires: ResponseExpires }),
  };
}

async function attributes(deps: S3Deps, input: GetObjectAttributesCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  assertNoVersion(input.VersionId);
  const object = await hidden(context, name, () => deps.objects.head(name, input.Key ?? ''));
  const wanted = new Set<string>(input.ObjectAttributes ?? []);
  return {
    LastModified: new Date(object.modifiedAt),
    ...(wanted.has('ETag') ? { ETag: object.etag } : {}),
    ...(wanted.has('Checksum') ? { Checksum: checksumView(object.checksum) } : {}),
    ...(wanted.has('StorageClass') ? { StorageClass: object.headers.storageClass } : {}),
    ...(wanted.has('ObjectSize') ? { ObjectSize: object.size } : {}),
    ...(wanted.has('ObjectParts') && object.etag.includes('-') ? { ObjectParts: partsOf(object, input) } : {}),
  };
}

function partsOf({ pieces, partChecksums, checksum }: ObjectRecord, input: GetObjectAttributesCommandInput) {
  const max = bounded('max-parts', input.MaxParts, limits.objectsPage, limits.objectsPage);
  const after = bounded('part-number-marker', Number(input.PartNumberMarker ?? 0), 0, limits.partNumbers);
  const page = pieces.slice(after, after + max);
  const isTruncated = after + max < pieces.length;
  const parts: ObjectPart[] = page.map(([, bytes], i) => ({
    PartNumber: after + i + 1,
    Size: bytes,
    [`Checksum${checksum.algorithm}`]: partChecksums?.[after + i] ?? undefined,
  }));
  return {
    TotalPartsCount: pieces.length,
    PartNumberMarker: String(after),
    MaxParts: max,
    IsTruncated: isTruncated,
    NextPartNumberMarker: String(isTruncated ? after + max : pieces.length),
    // Without checksums AWS tells their number alone.
    ...(partChecksums === null ? {} : { Parts: parts }),
  };
}
