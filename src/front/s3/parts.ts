/** The parts of an upload. */
import type { ListPartsCommandInput, UploadPartCommandInput, UploadPartCopyCommandInput } from '@aws-sdk/client-s3';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { s3Fault, type PartRecord } from '#objects/index.ts';
import { promiseOf } from './checksums.ts';
import { copySource } from './copy.ts';
import { bounded, invalid, notHere, s3Operation, ownBucket, ownerOf, type S3Deps } from './operation.ts';
import { assertLength, type Streamed } from './put.ts';
import { readCopyRange } from './range.ts';

export function partOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('UploadPart', (input: Streamed<UploadPartCommandInput>, context) => upload(deps, input, context)),
    s3Operation('UploadPartCopy', (input: UploadPartCopyCommandInput, context) => copy(deps, input, context)),
    s3Operation('ListParts', (input: ListPartsCommandInput, context) => list(deps, input, context)),
  ];
}

async function upload(deps: S3Deps, input: Streamed<UploadPartCommandInput>, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  if (input.SSECustomerAlgorithm !== undefined) throw notHere('encryption with customer-provided keys (SSE-C)');
  const number = partNumber(input.PartNumber);
  const [key, id] = [input.Key ?? '', input.UploadId ?? ''];
  const { checksum } = deps.objects.uploads.get(name, key, id);
  assertLength(input.Body.length, limits.partMaxBytes);
  const { algorithm, expected } = promiseOf(input as Record<string, unknown>, input.Body);
  if (checksum !== null && algorithm !== null && algorithm !== checksum.algorithm) {
    throw s3Fault('InvalidRequest', `Checksum Type mismatch occurred, expected checksum Type: ${checksum.algorithm.toLowerCase()}, actual checksum Type: ${algorithm.toLowerCase()}`); // prettier-ignore
  }
  const part = await deps.objects.uploads.putPart({ bucket: name, key, id, number, body: input.Body, verify: algorithm, expected });
  return { ETag: `"${part.etag}"`, ...checksumOf(part) };
}

async function copy(deps: S3Deps, input: UploadPartCopyCommandInput, context: CallContext) {
  const { name } = ownBucket(deps, context, input);
  const number = partNumber(input.PartNumber);
  const [key, id] = [input.Key ?? '', input.UploadId ?? ''];
  deps.objects.uploads.get(name, key, id);
  const { source } = await copySource(deps, input, context);
  const { from, to } = readCopyRange(input.CopySourceRange, source.size);
  assertLength(to - from, limits.partMaxBytes);
  const body = deps.objects.read(source, from, to);
  const part = await deps.objects.uploads.putPart({ bucket: name, key, id, number, body, verify: null, expected: () => ({}) });
  return { CopyPartResult: { ETag: `"${part.etag}"`, LastModified: new Date(part.modifiedAt), ...checksumOf(part) } };
}

function partNumber(given: number | undefined): number {
  if (given !== undefined && Number.isInteger(given) && given >= 1 && given <= limits.partNumbers) return given;
  throw invalid(`Part number must be an integer between 1 and ${limits.partNumbers}, inclusive`, 'partNumber', String(given));
}

const checksumOf = ({ algorithm, checksum }: PartRecord) => ({ [`Checksum${algorithm}`]: checksum });

async function list(deps: S3Deps, input: ListPartsCommandInput, context: CallContext) {
  const { name, account } = ownBucket(deps, context, input);
  const upload = deps.objects.uploads.get(name, input.Key ?? '', input.UploadId ?? '');
  const max = bounded('max-parts', input.MaxParts, limits.objectsPage, limits.objectsPage);
  const after = bounded('part-number-marker', Number(input.PartNumberMarker ?? 0), 0, limits.partNumbers);
  const all = deps.objects.uploads.parts(upload.id).filter(({ number }) => number > after);
  const page = all.slice(0, max);
  return {
    Bucket: name,
    Key: upload.key,
    UploadId: upload.id,
    PartNumberMarker: String(after),
    NextPartNumberMarker: String(page.at(-1)?.number ?? 0),
    MaxParts: max,
    IsTruncated: all.length > page.length,
    StorageClass: upload.headers.storageClass,
    Owner: ownerOf(account),
    Initiator: { ID: upload.initiator, DisplayName: upload.initiator.split('/').at(-1) },
    ...(upload.checksum === null ? {} : { ChecksumAlgorithm: upload.checksum.algorithm, ChecksumType: upload.checksum.type }),
    Parts: page.map((part) => ({
      PartNumber: part.number,
      LastModified: new Date(part.modifiedAt),
      ETag: `"${part.etag}"`,
      Size: part.size,
      ...(upload.checksum === null ? {} : checksumOf(part)),
    })),
  };
}
