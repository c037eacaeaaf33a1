/** The buckets of S3 Files, over the link: the control plane has them, and says what their file systems' roles may. */
import { Fault, isFault, type Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { nameOfKey, type BucketMount } from '#domain/bucket-files.ts';
import { controlOps } from '#link/operations.ts';
import type { BucketCall, BucketHead, BucketListed } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import type { BucketDoor, Listing } from '#volume/bucket/door.ts';
import type { SystemKey } from '#volume/bucket/sync.ts';
import type { BucketDoors } from '#volume/bucket.ts';
import type { Uplink } from './uplink.ts';

export function createBucketDoors({ uplink }: { uplink: Uplink }): BucketDoors {
  return {
    async mount(taskId, volume, signal) {
      const connection = await uplink.connected(signal);
      const body = { taskId, volume } as Json;
      return (await connection.request(controlOps.bucketMount, body, { timeoutMs: limits.bucketCallMs })) as unknown as BucketMount;
    },
    doorOf: (system) => doorOf(uplink, system),
  };
}

function doorOf(uplink: Uplink, system: SystemKey): BucketDoor {
  let prefix = '';
  const link = () => {
    const connection = uplink.current();
    if (connection === null) throw new Fault('Unavailable', 'the control plane is away');
    return connection;
  };
  const call = async <T>(op: string, body: Omit<BucketCall, 'system'>, timeoutMs: number, stream?: ByteStream): Promise<T> =>
    (await link().request(op, { system, ...body } as Json, { timeoutMs, ...(stream && { stream }) })) as T;
  const keyOf = (name: string) => `${prefix}${name}`;
  return {
    async list(token) {
      const stream = link().openStream();
      const listed = await call<BucketListed | null>(controlOps.bucketList, { token }, limits.bucketCallMs, stream);
      if (listed === null) return (stream.end(), null);
      prefix = listed.prefix;
      const objects: Listing['objects'] = new Map();
      for await (const line of linesOf(stream.read())) {
        const [key, etag, modifiedAt, size] = JSON.parse(line) as [string, string, number, number];
        const name = nameOfKey(prefix, key);
        if (name !== undefined) objects.set(key.slice(prefix.length), { etag, modifiedAt, size });
        if (objects.size > limits.bucketObjects) {
          throw new Fault('LimitExceeded', `the file system shows more than ${limits.bucketObjects} objects: give it a prefix`);
        }
      }
      stream.end();
      return { ...listed, objects };
    },
    async head(name) {
      return (await call<BucketHead | null>(controlOps.bucketGet, { key: keyOf(name) }, limits.bucketCallMs)) ?? undefined;
    },
    async get(name) {
      const stream = link().openStream();
      const head = await call<BucketHead | null>(controlOps.bucketGet, { key: keyOf(name) }, limits.bucketCallMs, stream);
      if (head === null) return (stream.end(), undefined);
      let whole = false;
      const body = async function* () {
        yield* stream.read();
        whole = true;
      };
      // Whoever writes must not wait for a reader that left.
      return { head, body: body(), close: () => stream.end(whole ? undefined : 'the reader stopped') };
    },
    async put({ name, ...wish }, body) {
      const stream = link().openStream();
      const made = call<BucketHead>(controlOps.bucketPut, { key: keyOf(name), ...wish }, limits.bucketTransferMs, stream);
      const sent = send(body, stream);
      const [answer, way] = await Promise.allSettled([made, sent]);
      // A refusal ends the stream too, and is what there is to tell.
      if (answer.status === 'rejected') throw way.status === 'rejected' && isOwn(way.reason) ? way.reason : answer.reason;
      return { etag: answer.value.etag, modifiedAt: answer.value.modifiedAt };
    },
    async remove(name, etag) {
      await call(controlOps.bucketRemove, { key: keyOf(name), replaces: etag }, limits.bucketCallMs);
    },
    async report(state) {
      await call(controlOps.bucketReport, { state }, limits.bucketCallMs);
    },
  };
}

/** What went wrong with the file, not on the way. */
const isOwn = (error: unknown) => !isFault(error, 'Unavailable') && !isFault(error, 'Cancelled');

async function send(body: AsyncIterable<Buffer>, stream: ByteStream): Promise<void> {
  try {
    for await (const piece of body) await stream.write(piece);
    stream.end();
  } catch (error) {
    stream.end('the file could not be read');
    throw error;
  }
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of stream) {
    rest = Buffer.concat([rest, piece]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
    }
  }
}
