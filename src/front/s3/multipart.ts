/** Uploads in parts: their beginning, their end, and which there are. */
import type {
  AbortMultipartUploadCommandInput,
  CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommandInput,
  ListMultipartUploadsCommandInput,
} from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { algorithmOf, checksumType, checksumView, givenChecksum } from './checksums.ts';
import { assertNothingElse, bareEtag, readHeaders, writeCondition } from './headers.ts';
import { assertKeyName, bounded, s3Operation, invalid, ownBucket, ownerOf, type S3Deps } from './operation.ts';
import { headerTags } from './tags.ts';

export function multipartOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('CreateMultipartUpload', (input: CreateMultipartUploadCommandInput, context) => create(deps, input, context)),
    s3Operation('CompleteMultipartUpload', (input: CompleteMultipartUploadCommandInput, context) => complete(deps, input, context)), // prettier-ignore
    s3Operation('AbortMultipartUpload', async (input: AbortMultipartUploadCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      await deps.objects.uploads.abort(name, input.Key ?? '', input.UploadId ?? '');
      return {};
    }),
    s3Operation('ListMultipartUploads', (input: ListMultipartUploadsCommandInput, context) => list(deps, input, context)), // prettier-ignore
  ];
}

async function create(deps: S3Deps, input: CreateMultipartUploadCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const key = input.Key ?? '';
  assertKeyName(key);
  assertNothingElse(input);
  const tags = headerTags(input.Tagging, limits.objectTags);
  const algorithm = algorithmOf(input.ChecksumAlgorithm);
  if (algorithm === undefined && input.ChecksumType !== undefined) {
    throw invalid('The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.', 'x-amz-checksum-type');
  }
  const checksum = algorithm === undefined ? null : { algorithm, type: checksumType(algorithm, input.ChecksumType) };
  const headers = readHeaders(input);
  const upload = deps.objects.uploads.create(name, { key, initiator: context.principal.arn, headers, tags, checksum });
  return {
    Bucket: name,
    Key: key,
    UploadId: upload.id,
    ...(checksum === null ? {} : { ChecksumAlgorithm: checksum.algorithm, ChecksumType: checksum.type }),
  };
}

async function complete(deps: S3Deps, input: CompleteMultipartUploadCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const parts = (input.MultipartUpload?.Parts ?? []).map((part) => ({
    number: part.PartNumber ?? 0,
    etag: bareEtag(part.ETag ?? ''),
    checksum: givenChecksum({ ...part })?.value,
  }));
  const record = await deps.objects.uploads.complete({
    bucket: name,
    key: input.Key ?? '',
    id: input.UploadId ?? '',
    parts,
    checksum: givenChecksum({ ...input })?.value,
    size: input.MpuObjectSize,
    condition: writeCondition(input),
  });
  return {
    Location: `http://${context.host ?? ''}/${name}/${encodeURIComponent(record.key).replaceAll('%2F', '/')}`,
    Bucket: name,
    Key: record.key,
    ETag: `"${record.etag}"`,
    ...checksumView(record.checksum),
  };
}

async function list(deps: S3Deps, input: ListMultipartUploadsCommandInput, context: CallContext) {
  const { name, account } = ownBucket(deps, context, input);
  const { Prefix: prefix = '', Delimiter: delimiter = '', KeyMarker: keyMarker = '', UploadIdMarker: idMarker = '' } = input;
  if (input.EncodingType !== undefined && input.EncodingType !== 'url') throw invalid('Invalid Encoding Method specified in Request', 'encoding-type', input.EncodingType); // prettier-ignore
  const encode = (text: string) => (input.EncodingType === undefined ? text : encodeURIComponent(text).replaceAll('%2F', '/'));
  const max = bounded('max-uploads', input.MaxUploads, limits.objectsPage, limits.objectsPage);
  const all = deps.objects.uploads.list(name).filter(({ key }) => key.startsWith(prefix));
  const marked = all.findIndex(({ key, id }) => key === keyMarker && id === idMarker);
  const later = marked >= 0 ? all.slice(marked + 1) : all.filter(({ key }) => keyMarker === '' || key > keyMarker);
  const rolled = (key: string) => {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    return cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
  };
  const prefixes = [...new Set(later.flatMap(({ key }) => rolled(key) ?? []))];
  const uploads = later.filter(({ key }) => rolled(key) === undefined);
  const page = uploads.slice(0, max);
  const last = page.at(-1);
  const isTruncated = uploads.length > page.length;
  return {
    Bucket: name,
    KeyMarker: encode(keyMarker),
    UploadIdMarker: idMarker,
    Prefix: encode(prefix),
    ...(delimiter === '' ? {} : { Delimiter: encode(delimiter) }),
    MaxUploads: max,
    IsTruncated: isTruncated,
    ...(isTruncated && last !== undefined ? { NextKeyMarker: encode(last.key), NextUploadIdMarker: last.id } : {}),
    ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
    Uploads: page.map(({ id, key, startedAt, initiator, headers, checksum }) => ({
      UploadId: id,
      Key: encode(key),
      Initiated: new Date(startedAt),
      StorageClass: headers.storageClass,
      Owner: ownerOf(account),
      Initiator: { ID: initiator, DisplayName: initiator.split('/').at(-1) },
      ...(checksum === null ? {} : { ChecksumAlgorithm: checksum.algorithm, ChecksumType: checksum.type }),
    })),
    CommonPrefixes: prefixes.map((text) => ({ Prefix: encode(text) })),
  };
}
