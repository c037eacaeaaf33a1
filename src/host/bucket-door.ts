/** The buckets of S3 Files, over the link: the control plane has them, and says what their file systems' roles may. */
import { Fault, isFault, type Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { linesOf } from '#base/lines.ts';
import { nameOfKey, type BucketMount } from '#domain/bucket-files.ts';
import { controlOps } from '#link/operations.ts';
import type { BucketCall, BucketHead, BucketListed } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import type { BucketDoor, Listing } from '#volume/bucket/door.ts';
import type { SystemKey } from '#volume/bucket/kept.ts';
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
  const call = async <T>(op: string, body: Omit<BucketCall, 'system'>, timeoutMs: number, stream?: ByteStream): Promise<T> => {
    try {
      return (await link().request(op, { system, ...body } as Json, { timeoutMs, ...(stream && { stream }) })) as T;
    } catch (error) {
      // Without an answer nobody else ends it, and whoever writes to it would wait for ever.
      stream?.end('the call failed');
      throw error;
    }
  };
  const keyOf = (name: string) => `${prefix}${name}`;
  return {
    async list(token) {
      const stream = link().openStream();
      const listed = await call<BucketListed | null>(controlOps.bucketList, { token }, limits.bucketCallMs, stream);
      if (listed === null) return (stream.end(), null);
      prefix = listed.prefix;
      const objects: Listing['objects'] = new Map();
      let directories = 0;
      let former = '';
      for await (const line of linesOf(stream.read())) {
        const [key, etag, modifiedAt, size] = JSON.parse(line) as [string, string, number, number];
        if (nameOfKey(prefix, key) === undefined) continue;
        const name = key.slice(prefix.length);
        objects.set(name, { etag, modifiedAt, size });
        directories += newDirectories(former, name);
        former = name;
        if (objects.size > limits.bucketObjects || directories > limits.bucketObjects) {
          const text = `the file system shows more than ${limits.bucketObjects} objects, or directories: give it a prefix`;
          throw new Fault('LimitExceeded', text);
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

/** Directories that `name` lies in and `former` doesn't, which comes before it in the bucket's order: there a directory's names stand together. */
function newDirectories(former: string, name: string): number {
  let same = 0;
  while (same < name.length && name[same] === former[same]) same++;
  return name.slice(same).split('/').length - 1;
}
