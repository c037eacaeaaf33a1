/** `bucket`: a directory of a file system that shows a bucket (S3 Files): shared as EFS's are, and kept in step with the bucket by this host. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { BucketMount, BucketVolume } from '#domain/bucket-files.ts';
import { efsUtilsError } from '#domain/shared-volume.ts';
import type { BucketDoor } from './bucket/door.ts';
import type { SystemKey } from './bucket/kept.ts';
import { createBucketSync, type BucketSync } from './bucket/sync.ts';
import type { SharedVolumes } from './shared.ts';
import type { VolumeKind, VolumeUse } from './volumes.ts';

/** The control plane, for buckets. */
export type BucketDoors = {
  /** What the task may have of it. Throws ResourceInitialization with AWS's text; Cancelled when `signal` aborts before the control plane is there. */
  mount(taskId: string, volume: BucketVolume, signal: AbortSignal): Promise<BucketMount>;
  doorOf(system: SystemKey): BucketDoor;
};

const RETRY_MS = 500;

export type BucketVolumes = Required<VolumeKind<BucketVolume>> & { sync: BucketSync };

/** `hostDir`: STATE/host. */
export function createBucketVolumes(
  deps: { clock: Clock; random: Random; log: Log; doors: BucketDoors },
  shared: SharedVolumes,
  hostDir: string,
): BucketVolumes {
  const { clock, doors } = deps;
  const sync = createBucketSync({ ...deps, doorOf: (system) => doors.doorOf(system) }, hostDir);
  /** A control plane that is away is no failure of the task. */
  const patiently = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || !(isFault(error, 'Unavailable') || isFault(error, 'TimedOut'))) throw error;
        await clock.sleep(RETRY_MS);
      }
    }
  };
  return {
    sync,
    async prepare(taskId, volume, use: VolumeUse) {
      const { account, region, fileSystemId: id, name } = volume;
      const signal = use.signal ?? new AbortController().signal;
      const { path, creation, user, readOnly } = await patiently(signal, () => doors.mount(taskId, volume, signal));
      try {
        await patiently(signal, () => sync.use(taskId, { account, region, id }));
      } catch (error) {
        if (isFault(error, 'ResourceInitialization')) throw error;
        throw new Fault('ResourceInitialization', efsUtilsError(`mount.nfs4: mounting 127.0.0.1:${path} failed: ${reasonOf(error)}`));
      }
      const found = { kind: 'directory' as const, path, creation, user };
      const place = { name, fileSystemId: id, found };
      return { kind: 'directory', ...(await shared.prepare(taskId, place, use, { readOnly })) };
    },
    async release(taskId) {
      await shared.release(taskId);
      await sync.release(taskId);
    },
    recover: (living) => sync.recover(living),
    stop: () => sync.stop(),
  };
}

/** For the task's owner, who is told nothing of the host's own paths. */
function reasonOf(error: unknown): string {
  const { code, message } = asFault(error);
  return code === 'Internal' ? 'the file system could not be brought together with its bucket' : message;
}
