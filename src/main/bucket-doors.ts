/**
 * What hosts do with the buckets of S3 Files: list, read, write and remove objects, with the rights of the file system's role, and mount file systems, with
 * those of the task's. Nothing here looks into a file system: that is the host's.
 */
import type { Clock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import type { BucketCalls } from '#control/index.ts';
import type { BucketMount, BucketVolume } from '#domain/bucket-files.ts';
import { bucketPointArn, bucketSystemArn, exportAfterMs, S3FILES_SERVICE, type BucketSystemRecord } from '#domain/s3-files.ts';
import { efsUtilsError, sharedPlace } from '#domain/shared-volume.ts';
import type { TaskRecord } from '#domain/task.ts';
import { s3Resource } from '#front/s3/access.ts';
import { resourceTags } from '#gateway/access.ts';
import type { Identity, TemporaryCredentials } from '#identity/index.ts';
import type { BucketCall, BucketHead } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import { DEFAULT_CHECKSUM, type ObjectHeaders, type ObjectRecord, type Objects, type PutWish } from '#objects/index.ts';
import type { Store } from '#store/types.ts';
import { assertExecutionRole, assumeRole, isNominal, UNASSUMABLE } from './task-credentials.ts';

export type BucketDeps = { store: Store; objects: Objects; identity: Identity; clock: Clock };

const SESSION_SECONDS = 3600;
/** How long a role's rights are taken for what they were. */
const KNOWN_MS = 30_000;
const PAGE = 1000;

export function createBucketCalls(deps: BucketDeps): BucketCalls {
  const { store, objects } = deps;
  const allow = createRoleCheck(deps);
  const system = async ({ system: key }: BucketCall): Promise<BucketSystemRecord> => {
    const found = await store.read((tx) => tx.bucketSystems.get(key));
    if (found === undefined) throw new Fault('ResourceNotFound', `file system ${key.id} is not there any more`);
    if (objects.ownerOf(found.desired.bucket) !== key.account) {
      throw new Fault('AccessDenied', `the bucket ${found.desired.bucket} does not exist`);
    }
    return found;
  };
  const named = async (call: BucketCall, action: string) => {
    const record = await system(call);
    const { bucket, prefix } = record.desired;
    const { key } = call;
    if (key === undefined || !key.startsWith(prefix)) throw new Fault('AccessDenied', 'the key lies outside of the file system');
    await allow(record, action, `arn:aws:s3:::${bucket}/${key}`);
    return { bucket, key };
  };
  return {
    mount: (task, volume) => mount(deps, task, volume),
    async list(call, stream) {
      const record = await system(call);
      const { bucket, prefix, tags } = record.desired;
      await allow(record, 's3:ListBucket', `arn:aws:s3:::${bucket}`, { 's3:prefix': prefix });
      const waitMs = exportAfterMs(tags);
      const token = `${objects.changes(bucket)} ${waitMs}`;
      if (token === call.token || stream === null) return (stream?.end(), null);
      void writeListing(objects, bucket, prefix, stream);
      return { token, prefix, exportAfterMs: waitMs };
    },
    async get(call, stream) {
      const { bucket, key } = await named(call, 's3:GetObject');
      const object = found(objects, bucket, key);
      if (object === null) return (stream?.end(), null);
      if (stream !== null) void writeBytes(objects.read(object, 0, object.size), stream);
      return headOf(object);
    },
    async put(call, stream) {
      const { bucket, key } = await named(call, 's3:PutObject');
      const { replaces = null, metadata = {}, size = 0 } = call;
      if (stream === null) throw new Fault('InvalidParameter', 'an object without its bytes');
      const former = found(objects, bucket, key);
      const wish: PutWish = {
        bucket,
        key,
        headers: { ...(former?.headers ?? plainHeaders(key)), metadata },
        tags: former?.tags ?? [],
        body: exactly(stream.read(), size),
        algorithm: DEFAULT_CHECKSUM,
        expected: () => ({}),
        condition: replaces === null ? { ifNoneMatch: '*' } : { ifMatch: replaces },
      };
      const made = await unlessDeleted(() => objects.put(wish));
      // Our half of it; the other one ended with the bytes.
      stream.end();
      return headOf(made);
    },
    async remove(call) {
      const { bucket, key } = await named(call, 's3:DeleteObject');
      await unlessDeleted(() => objects.remove(bucket, [key], { ifMatch: call.replaces ?? '' }));
    },
  };
}

/** Object or bucket were deleted meanwhile. To the host, ResourceNotFound is said of file systems alone. */
async function unlessDeleted<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isFault(error, 'ResourceNotFound') ? new Fault('Conflict', error.message) : error;
  }
}

function found(objects: Objects, bucket: string, key: string): ObjectRecord | null {
  try {
    return objects.head(bucket, key);
  } catch (error) {
    if (isFault(error, 'ResourceNotFound')) return null;
    throw error;
  }
}

const headOf = ({ etag, modifiedAt, size, headers }: ObjectRecord): BucketHead => ({ etag, modifiedAt, size, metadata: headers.metadata });

const plainHeaders = (key: string): ObjectHeaders => ({
  contentType: key.endsWith('/') ? 'application/x-directory' : 'binary/octet-stream',
  cacheControl: null,
  contentDisposition: null,
  contentEncoding: null,
  contentLanguage: null,
  expires: null,
  redirect: null,
  metadata: {},
  storageClass: 'STANDARD',
});

/** Throws Unavailable for fewer bytes or more: nothing is kept then. */
async function* exactly(body: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > size) break;
    yield piece;
  }
  if (bytes !== size) throw new Fault('Unavailable', `the file has ${size} bytes, and ${bytes} came`);
}

async function writeBytes(body: AsyncIterable<Buffer>, stream: ByteStream): Promise<void> {
  try {
    for await (const piece of body) await stream.write(piece);
    stream.end();
  } catch {
    // The reader sees that it is not whole.
    stream.end('the object could not be read');
  }
}

/** A line each: key, ETag, time, size. */
async function writeListing(objects: Objects, bucket: string, prefix: string, stream: ByteStream): Promise<void> {
  const pages = async function* (): AsyncGenerator<Buffer> {
    let token: string | null = null;
    do {
      const page: ReturnType<Objects['list']> = objects.list({ bucket, prefix, delimiter: '', after: null, token, max: PAGE });
      yield Buffer.from(
        page.objects.map(({ key, etag, modifiedAt, size }) => `${JSON.stringify([key, etag, modifiedAt, size])}\n`).join(''),
      );
      token = page.next;
    } while (token !== null);
  };
  await writeBytes(pages(), stream);
}

/** Whether a file system's role lets S3 Files do this. Where nobody keeps IAM a role is a name. Throws AccessDenied. */
function createRoleCheck(deps: BucketDeps) {
  const { store, identity, clock, objects } = deps;
  const known = new Map<string, { made: TemporaryCredentials; until: number }>();
  return async ({ key, desired }: BucketSystemRecord, action: string, arn: string, facts: Record<string, string> = {}): Promise<void> => {
    const mark = `${key.id} ${desired.role}`;
    let session = known.get(mark);
    if (session === undefined || session.until <= clock.now()) {
      const told = { 'aws:SourceAccount': key.account, 'aws:SourceArn': bucketSystemArn(key) };
      const wish = { service: S3FILES_SERVICE, sessionName: key.id, seconds: SESSION_SECONDS, facts: told };
      const made = await assumeRole({ store, identity }, key, desired.role, wish);
      if (made === null)
        throw new Fault(
          'AccessDenied',
          `S3 Files was unable to assume the role '${desired.role}': it must exist and trust ${S3FILES_SERVICE}`,
        );
      session = { made, until: clock.now() + KNOWN_MS };
      if (known.size >= PAGE) known.clear();
      known.set(mark, session);
    }
    const { principal } = session.made;
    if (isNominal(principal)) return;
    const call = { now: clock.now, region: key.region, sourceIp: '', userAgent: S3FILES_SERVICE, secure: true };
    await identity.assertAllowed(principal, action, [s3Resource({ objects }, arn)], call, facts);
  };
}

/** Throws ResourceInitialization in the words of AWS's mount helper. */
async function mount(deps: BucketDeps, task: TaskRecord, volume: BucketVolume): Promise<BucketMount> {
  const { store } = deps;
  const scope = { account: volume.account, region: volume.region };
  const { vpcId } = task.desired.network;
  const { system, point, targets } = await store.read(async (tx) => ({
    system: await tx.bucketSystems.get({ ...scope, id: volume.fileSystemId }),
    point: volume.accessPointId === null ? undefined : await tx.bucketAccessPoints.get({ ...scope, id: volume.accessPointId }),
    targets: await tx.bucketMountTargets.list(scope),
  }));
  const place = sharedPlace(volume, { region: volume.region, vpcId, system, point, targets }, 's3files');
  if (place.kind === 'refused' || system === undefined) throw refusal(place.kind === 'refused' ? place.reason : 'gone');
  const arn = bucketSystemArn(system.key);
  const facts = point === undefined ? {} : { 's3files:AccessPointArn': bucketPointArn(system.key, point.key.id) };
  const may = async (action: string) => {
    try {
      await assertExecutionRole(
        deps,
        task.key,
        task.desired.spec.taskRole,
        action,
        { arn, facts: resourceTags(system.desired.tags) },
        facts,
      );
      return true;
    } catch (error) {
      if (!isFault(error, 'AccessDenied') || error.details['kind'] === UNASSUMABLE) throw error;
      return false;
    }
  };
  if (!(await may('s3files:ClientMount'))) throw refusal('mount.nfs4: access denied by server while mounting 127.0.0.1:/');
  const readOnly = !(await may('s3files:ClientWrite'));
  return { path: place.path, creation: place.creation, user: place.user ?? null, readOnly };
}

const refusal = (reason: string) => new Fault('ResourceInitialization', efsUtilsError(reason));
