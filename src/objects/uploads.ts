/**
 * Uploads in parts: each part is a file; completing makes an object of the files, without copying a byte. Source: S3 user guide, "Uploading and copying objects
 * using multipart upload"; "Checking object integrity", for the checksums of the whole.
 */
import { createHash } from 'node:crypto';
import { urlSafeId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { combineCrcs, createDigester } from './checksums.ts';
import { noUpload, s3Fault } from './faults.ts';
import { receive } from './receive.ts';
import type { Checksum, ChecksumAlgorithm, Expected, ObjectRecord, PartRecord, UploadRecord, WriteCondition } from './types.ts';
import { existing, filesOf, now, writeObject, type StoreParts } from './write-object.ts';

/** Without a wish of the caller's parts and the whole have this one, as AWS does it. */
export const DEFAULT_CHECKSUM: ChecksumAlgorithm = 'CRC64NVME';

export type CompletedPart = { number: number; etag: string; checksum: string | undefined };

export type Uploads = {
  create(bucket: string, wish: Omit<UploadRecord, 'id' | 'startedAt'>): UploadRecord;
  /** Throws NoSuchUpload, as all that follow. */
  get(bucket: string, key: string, id: string): UploadRecord;
  list(bucket: string): UploadRecord[];
  parts(id: string): PartRecord[];
  putPart(wish: PartWish): Promise<PartRecord>;
  /** Throws InvalidPart, InvalidPartOrder, EntityTooSmall, BadDigest, PreconditionFailed. */
  complete(wish: CompleteWish): Promise<ObjectRecord>;
  abort(bucket: string, key: string, id: string): Promise<void>;
};

export type PartWish = {
  bucket: string;
  key: string;
  id: string;
  number: number;
  body: AsyncIterable<Uint8Array>;
  /** What the caller gives a checksum of; null when it gives none. */
  verify: ChecksumAlgorithm | null;
  expected(): Expected;
};

export type CompleteWish = {
  bucket: string;
  key: string;
  id: string;
  parts: CompletedPart[];
  /** Of the whole object, in base64, if the caller knows it. */
  checksum: string | undefined;
  size: number | undefined;
  condition: WriteCondition;
};

export function createUploads({ catalog, files, clock, random }: StoreParts): Uploads {
  const get = (bucket: string, key: string, id: string): UploadRecord => {
    existing(catalog, bucket);
    const found = catalog.upload(bucket, id);
    if (found === undefined || found.key !== key) throw noUpload(id);
    return found;
  };

  return {
    get,
    create: (bucket, wish) =>
      catalog.write(() => {
        existing(catalog, bucket);
        if (catalog.uploadCount(bucket) >= limits.uploadsPerBucket) {
          throw s3Fault(
            'InvalidRequest',
            `A bucket can have at most ${limits.uploadsPerBucket} uploads that are not complete; abort some.`,
          );
        }
        const record: UploadRecord = { ...wish, id: urlSafeId(random, 64), startedAt: now(clock) };
        catalog.putUpload(bucket, record);
        return record;
      }),
    list(bucket) {
      existing(catalog, bucket);
      return catalog.uploads(bucket).sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || a.startedAt - b.startedAt);
    },
    parts: (id) => catalog.parts(id),

    async putPart({ bucket, key, id, number, body, verify, expected }) {
      const algorithm = get(bucket, key, id).checksum?.algorithm ?? DEFAULT_CHECKSUM;
      const { piece, md5, checksum } = await receive(files, body, { keep: algorithm, verify: verify ?? algorithm }, expected);
      const [file, size] = piece;
      const record: PartRecord = { number, file, size, etag: md5, modifiedAt: now(clock), algorithm, checksum };
      let former: PartRecord | undefined;
      try {
        former = await catalog.commit(() => {
          get(bucket, key, id);
          const before = catalog.part(id, number);
          catalog.useFile(file);
          catalog.unuseFiles(before === undefined ? [] : [before.file]);
          catalog.putPart(id, record);
          return before;
        });
      } catch (error) {
        await files.drop([file]);
        throw error;
      }
      files.keep(file);
      if (former !== undefined) await files.drop([former.file]);
      return record;
    },

    async complete({ bucket, key, id, parts: wanted, checksum: given, size, condition }) {
      const upload = get(bucket, key, id);
      const all = catalog.parts(id);
      const parts = chosen(all, wanted);
      const record = await wholeOf(upload, parts, now(clock));
      if (given !== undefined && given !== record.checksum.value && given !== record.checksum.value.replace(/-\d+$/, '')) {
        throw s3Fault('BadDigest', `The ${record.checksum.algorithm} you specified did not match the calculated checksum.`);
      }
      if (size !== undefined && size !== record.size) {
        throw s3Fault('InvalidRequest', `The provided object size does not match: ${size} is not ${record.size}.`);
      }
      const kept = new Set(filesOf(record));
      await writeObject({ catalog, files }, bucket, record, condition, [], () => {
        get(bucket, key, id);
        // A part that was uploaded anew meanwhile is none of those that were looked at.
        const there = new Set(catalog.parts(id).map(({ file }) => file));
        if ([...kept].some((file) => !there.has(file))) throw invalidPart();
        catalog.removeUpload(id);
        return [...there].filter((file) => !kept.has(file));
      });
      return record;
    },

    async abort(bucket, key, id) {
      const dropped = await catalog.commit(() => {
        get(bucket, key, id);
        const own = catalog.parts(id).map(({ file }) => file);
        catalog.removeUpload(id);
        catalog.unuseFiles(own);
        return own;
      });
      await files.drop(dropped);
    },
  };
}

const invalidPart = () =>
  s3Fault('InvalidPart', "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."); // prettier-ignore

function chosen(all: PartRecord[], wanted: CompletedPart[]): PartRecord[] {
  if (wanted.length === 0) throw s3Fault('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema'); // prettier-ignore
  if (wanted.some(({ number }, i) => i > 0 && number <= (wanted[i - 1]?.number ?? 0))) {
    throw s3Fault('InvalidPartOrder', 'The list of parts was not in ascending order. Parts must be ordered by part number.');
  }
  const byNumber = new Map(all.map((part) => [part.number, part]));
  const parts = wanted.map(({ number, etag, checksum }) => {
    const part = byNumber.get(number);
    if (part === undefined || part.etag !== etag || (checksum !== undefined && checksum !== part.checksum)) throw invalidPart();
    return part;
  });
  const small = parts.slice(0, -1).find((part) => part.size < limits.partMinBytes);
  if (small !== undefined) {
    throw s3Fault('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      PartNumber: String(small.number),
      ProposedSize: String(small.size),
      MinSizeAllowed: String(limits.partMinBytes),
      ETag: small.etag,
    });
  }
  return parts;
}

async function wholeOf(upload: UploadRecord, parts: PartRecord[], modifiedAt: number): Promise<ObjectRecord> {
  const md5 = createHash('md5');
  for (const { etag } of parts) md5.update(Buffer.from(etag, 'hex'));
  return {
    key: upload.key,
    etag: `${md5.digest('hex')}-${parts.length}`,
    size: parts.reduce((sum, part) => sum + part.size, 0),
    modifiedAt,
    headers: upload.headers,
    tags: upload.tags,
    checksum: await checksumOf(upload.checksum ?? { algorithm: DEFAULT_CHECKSUM, type: 'FULL_OBJECT' }, parts),
    pieces: parts.map(({ file, size }) => [file, size]),
    partChecksums: upload.checksum === null ? null : parts.map(({ checksum }) => checksum),
  };
}

async function checksumOf({ algorithm, type }: Pick<Checksum, 'algorithm' | 'type'>, parts: PartRecord[]): Promise<Checksum> {
  if (type === 'FULL_OBJECT') {
    const value = combineCrcs(algorithm, parts.map(({ checksum, size }) => ({ value: checksum, bytes: size }))); // prettier-ignore
    return { algorithm, type, value };
  }
  const digester = createDigester(algorithm);
  for (const { checksum } of parts) digester.update(Buffer.from(checksum, 'base64'));
  return { algorithm, type, value: `${(await digester.digest()).toString('base64')}-${parts.length}` };
}
