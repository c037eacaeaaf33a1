/** Lists of a bucket's objects. */
import type { ListObjectsCommandInput, ListObjectsV2CommandInput, ListObjectVersionsCommandInput } from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import type { ObjectSummary } from '#objects/index.ts';
import { bounded, s3Operation, invalid, ownBucket, ownerOf, type S3Deps } from './operation.ts';
import { ONLY_VERSION } from './versions.ts';

type Listed = {
  Bucket: string | undefined;
  Prefix?: string | undefined;
  Delimiter?: string | undefined;
  MaxKeys?: number | undefined;
  EncodingType?: string | undefined;
};

export function listOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('ListObjectsV2', (input: ListObjectsV2CommandInput, context) => listV2(deps, input, context)),
    s3Operation('ListObjects', (input: ListObjectsCommandInput, context) => listV1(deps, input, context)),
    s3Operation('ListObjectVersions', (input: ListObjectVersionsCommandInput, context) => listVersions(deps, input, context)), // prettier-ignore
  ];
}

async function listV2(deps: S3Deps, input: ListObjectsV2CommandInput, context: CallContext) {
  const { name, account } = ownBucket(deps, context, input);
  const max = bounded('max-keys', input.MaxKeys, limits.objectsPage, limits.objectsPage);
  const encode = encoder(input);
  const { ContinuationToken: token, StartAfter: after } = input;
  if (token !== undefined && !/^[A-Za-z0-9_-]*$/.test(token)) throw invalid('The continuation token provided is incorrect', 'continuation-token'); // prettier-ignore
  const page = deps.objects.list({ bucket: name, ...shapeOf(input), after: token === undefined ? (after ?? null) : null, token: token ?? null, max }); // prettier-ignore
  return {
    ...common(input, name, max, encode),
    IsTruncated: page.next !== null,
    KeyCount: page.objects.length + page.prefixes.length,
    Contents: page.objects.map((object) => ({
      ...objectView(object, encode),
      ...(input.FetchOwner === true ? { Owner: ownerOf(account) } : {}),
    })),
    CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    ...(token === undefined ? {} : { ContinuationToken: token }),
    ...(page.next === null ? {} : { NextContinuationToken: page.next }),
    ...(after === undefined ? {} : { StartAfter: encode(after) }),
  };
}

async function listV1(deps: S3Deps, input: ListObjectsCommandInput, context: CallContext) {
  const { name, account } = ownBucket(deps, context, input);
  const max = bounded('max-keys', input.MaxKeys, limits.objectsPage, limits.objectsPage);
  const encode = encoder(input);
  const page = deps.objects.list({ bucket: name, ...shapeOf(input), after: input.Marker ?? null, token: null, max });
  const last = lastName(page.objects.at(-1)?.key, page.prefixes.at(-1));
  return {
    ...common(input, name, max, encode),
    Marker: encode(input.Marker ?? ''),
    IsTruncated: page.next !== null,
    Contents: page.objects.map((object) => ({ ...objectView(object, encode), Owner: ownerOf(account) })),
    CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    // Without a delimiter the last key is the next marker, and isn't told (S3 API reference, ListObjects).
    ...(page.next === null || input.Delimiter === undefined ? {} : { NextMarker: encode(last) }),
  };
}

async function listVersions(deps: S3Deps, input: ListObjectVersionsCommandInput, context: CallContext) {
  const { name, account } = ownBucket(deps, context, input);
  const max = bounded('max-keys', input.MaxKeys, limits.objectsPage, limits.objectsPage);
  const encode = encoder(input);
  const page = deps.objects.list({ bucket: name, ...shapeOf(input), after: input.KeyMarker ?? null, token: null, max });
  const last = lastName(page.objects.at(-1)?.key, page.prefixes.at(-1));
  return {
    ...common(input, name, max, encode),
    KeyMarker: encode(input.KeyMarker ?? ''),
    VersionIdMarker: input.VersionIdMarker ?? '',
    IsTruncated: page.next !== null,
    Versions: page.objects.map((object) => ({ ...objectView(object, encode), VersionId: ONLY_VERSION, IsLatest: true, Owner: ownerOf(account) })), // prettier-ignore
    CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    ...(page.next === null ? {} : { NextKeyMarker: encode(last), NextVersionIdMarker: ONLY_VERSION }),
  };
}

const shapeOf = ({ Prefix, Delimiter }: Listed) => ({ prefix: Prefix ?? '', delimiter: Delimiter ?? '' });

function lastName(key: string | undefined, prefix: string | undefined): string {
  if (key === undefined || prefix === undefined) return key ?? prefix ?? '';
  return Buffer.compare(Buffer.from(key), Buffer.from(prefix)) > 0 ? key : prefix;
}

function common(input: Listed, name: string, max: number, encode: (text: string) => string) {
  return {
    Name: name,
    Prefix: encode(input.Prefix ?? ''),
    MaxKeys: max,
    ...(input.Delimiter === undefined ? {} : { Delimiter: encode(input.Delimiter) }),
    ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
  };
}

/** Names may have characters that XML can't (S3 API reference, `encoding-type`). */
function encoder({ EncodingType }: Listed): (text: string) => string {
  if (EncodingType === undefined) return (text) => text;
  if (EncodingType !== 'url') throw invalid('Invalid Encoding Method specified in Request', 'encoding-type', EncodingType);
  return (text) => encodeURIComponent(text).replaceAll('%2F', '/');
}

function objectView({ key, etag, size, modifiedAt, storageClass, checksum }: ObjectSummary, encode: (text: string) => string) {
  return {
    Key: encode(key),
    LastModified: new Date(modifiedAt),
    ETag: `"${etag}"`,
    ChecksumAlgorithm: [checksum.algorithm],
    ChecksumType: checksum.type,
    Size: size,
    StorageClass: storageClass,
  };
}
