/**
 * Buckets and objects, kept on this machine's disk: bytes in files, names in rows. What is acknowledged is on disk; a name leads to a whole object, the former
 * one or the new one, at any moment and after any crash.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { limits } from '#base/limits.ts';
import { openCatalog } from './catalog.ts';
import { noKey, s3Fault } from './faults.ts';
import { openFiles } from './files.ts';
import { applyLifecycles } from './lifecycle.ts';
import { listPage, type ListPage, type ListWish } from './list.ts';
import { receive } from './receive.ts';
import type { BucketRecord, ChecksumAlgorithm, Expected, ObjectHeaders, ObjectRecord, Tag, WriteCondition } from './types.ts';
import { createUploads, type Uploads } from './uploads.ts';
import { assertCondition, existing, filesOf, now, writeObject, type StoreParts } from './write-object.ts';

export type PutWish = {
  bucket: string;
  key: string;
  headers: ObjectHeaders;
  tags: Tag[];
  body: AsyncIterable<Uint8Array>;
  algorithm: ChecksumAlgorithm;
  expected(): Expected;
  condition: WriteCondition;
};

export type Objects = {
  /** Throws BucketAlreadyOwnedByYou, BucketAlreadyExists and TooManyBuckets. */
  createBucket(wish: Pick<BucketRecord, 'name' | 'account' | 'region' | 'tags'>): BucketRecord;
  /** Throws NoSuchBucket, as everything below that names one. */
  bucket(name: string): BucketRecord;
  buckets(account: string): BucketRecord[];
  /** Of a bucket and an object that may not be there. */
  ownerOf(bucket: string): string | undefined;
  tagsOf(bucket: string, key: string): Tag[];
  changeBucket(name: string, change: Partial<Pick<BucketRecord, 'tags' | 'accessBlock' | 'ownershipShown' | 'lifecycle'>>): void;
  /** Throws BucketNotEmpty. Uploads that aren't complete go with it. */
  deleteBucket(name: string): Promise<void>;
  /** Throws BadDigest, PreconditionFailed, and InsufficientStorage when the disk is full; nothing is kept then. */
  put(wish: PutWish): Promise<ObjectRecord>;
  /** Throws NoSuchKey. */
  head(bucket: string, key: string): ObjectRecord;
  /** The bytes of an object that `head` has just told of, in the same turn of the event loop; `to` is exclusive. */
  read(object: ObjectRecord, from: number, to: number): AsyncIterable<Buffer>;
  /** Those that aren't there are no error. All of them or, when it throws, none. Throws PreconditionFailed where one is another object than `condition` says. */
  remove(bucket: string, keys: string[], condition?: WriteCondition): Promise<void>;
  changeTags(bucket: string, key: string, tags: Tag[]): void;
  list(wish: ListWish): ListPage;
  /** Another text whenever the bucket's objects have changed; in another process, too. */
  changes(bucket: string): string;
  uploads: Uploads;
  /** Takes what lifecycle rules end. */
  applyLifecycles(): Promise<void>;
  close(): Promise<void>;
};

export async function openObjects(deps: { clock: Clock; random: Random; log: Log }, options: { dir: string }): Promise<Objects> {
  mkdirSync(join(options.dir, 'data'), { recursive: true, mode: 0o700 });
  const files = await openFiles(deps, options);
  const catalog = openCatalog(join(options.dir, 'objects.db'));
  const parts: StoreParts = { ...deps, catalog, files };
  let closing = false;
  let expiring = Promise.resolve();
  const sweeping = files
    .sweep((names) => (closing ? new Set(names) : catalog.used(names)))
    .then(
      (removed) => void (removed > 0 && deps.log.info('objects.swept', { files: removed })),
      (error: unknown) => deps.log.warn('objects.sweep', { reason: String(error) }),
    );
  return {
    ...bucketCalls(parts),
    ...objectCalls(parts),
    uploads: createUploads(parts),
    applyLifecycles: () => (expiring = applyLifecycles(parts, deps.log, () => closing)),
    async close() {
      closing = true;
      await Promise.allSettled([sweeping, expiring]);
      catalog.close();
    },
  };
}

function bucketCalls({ catalog, files, clock }: StoreParts) {
  const bucket = (name: string) => existing(catalog, name);
  return {
    bucket,
    ownerOf: (name: string) => catalog.bucket(name)?.account,
    tagsOf: (name: string, key: string) => catalog.object(name, key)?.tags ?? [],
    buckets: (account: string) => catalog.buckets().filter((record) => record.account === account),
    createBucket: (wish: Pick<BucketRecord, 'name' | 'account' | 'region' | 'tags'>) =>
      catalog.write(() => {
        const taken = catalog.bucket(wish.name);
        if (taken !== undefined) throw alreadyThere(taken, wish.account);
        if (catalog.buckets().length >= limits.buckets) {
          throw s3Fault('TooManyBuckets', 'You have attempted to create more buckets than allowed');
        }
        const accessBlock = { acls: true, ignoreAcls: true, policy: true, restrict: true };
        const record: BucketRecord = { ...wish, createdAt: now(clock), accessBlock, ownershipShown: true };
        catalog.putBucket(record);
        return record;
      }),
    changeBucket: (name: string, change: Partial<BucketRecord>) => catalog.write(() => catalog.putBucket({ ...bucket(name), ...change })),
    async deleteBucket(name: string) {
      const dropped = catalog.write(() => {
        bucket(name);
        if (catalog.list({ bucket: name, from: Buffer.alloc(0), below: null, limit: 1 }).length > 0) {
          throw s3Fault('BucketNotEmpty', 'The bucket you tried to delete is not empty', { BucketName: name });
        }
        const parts = catalog.uploads(name).flatMap(({ id }) => {
          const own = catalog.parts(id).map(({ file }) => file);
          catalog.removeUpload(id);
          return own;
        });
        catalog.unuseFiles(parts);
        catalog.removeBucket(name);
        return parts;
      });
      await files.drop(dropped);
    },
  };
}

function objectCalls({ catalog, files, clock, random }: StoreParts) {
  const opened = hexId(random, 16);
  const head = (bucket: string, key: string): ObjectRecord => {
    existing(catalog, bucket);
    const found = catalog.object(bucket, key);
    if (found === undefined) throw noKey(key);
    return found;
  };
  return {
    head,
    async put({ bucket, key, headers, tags, body, algorithm, expected, condition }: PutWish) {
      existing(catalog, bucket);
      assertCondition(catalog.object(bucket, key), key, condition);
      const { piece, md5, checksum } = await receive(files, body, { keep: algorithm, verify: algorithm }, expected);
      const record: ObjectRecord = {
        key,
        etag: md5,
        size: piece[1],
        modifiedAt: now(clock),
        headers,
        tags,
        checksum: { algorithm, type: 'FULL_OBJECT', value: checksum },
        pieces: [piece],
        partChecksums: null,
      };
      await writeObject({ catalog, files }, bucket, record, condition, [piece]);
      return record;
    },
    read: (object: ObjectRecord, from: number, to: number) => files.read(object.pieces, from, to),
    async remove(bucket: string, keys: string[], condition: WriteCondition = {}) {
      const dropped = await catalog.commit(() => {
        existing(catalog, bucket);
        const former = keys.flatMap((key) => catalog.object(bucket, key) ?? []);
        for (const object of former) assertCondition(object, object.key, condition);
        for (const { key } of former) catalog.removeObject(bucket, key);
        const gone = former.flatMap(filesOf);
        catalog.unuseFiles(gone);
        return gone;
      });
      await files.drop(dropped);
    },
    changeTags: (bucket: string, key: string, tags: Tag[]) =>
      catalog.write(() => catalog.putObject(bucket, { ...head(bucket, key), tags })),
    changes: (bucket: string) => `${opened}.${catalog.changes(bucket)}`,
    list(wish: ListWish) {
      existing(catalog, wish.bucket);
      return listPage(catalog, wish);
    },
  };
}

function alreadyThere(taken: BucketRecord, account: string) {
  if (taken.account !== account) {
    return s3Fault('BucketAlreadyExists', 'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.', { BucketName: taken.name }); // prettier-ignore
  }
  return s3Fault('BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded and you already own it.', {
    BucketName: taken.name,
  });
}
