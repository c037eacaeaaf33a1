/** All kinds of volumes as a host has them. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { BucketVolume } from '#domain/bucket-files.ts';
import { createBucketVolumes, type BucketDoors } from './bucket.ts';
import { createBlockVolumes } from './block.ts';
import { scratchKind } from './scratch.ts';
import type { OneUser } from './one-user.ts';
import { createSharedVolumes } from './shared.ts';
import { createVolumes } from './volumes.ts';
import type { VolumeKind, Volumes } from './volumes.ts';

/** `buckets`: where there is a control plane that has any. */
export type HostVolumesDeps = { clock: Clock; oneUser: OneUser; buckets?: { doors: BucketDoors; random: Random; log: Log } };

const noBuckets: VolumeKind<BucketVolume> = {
  prepare: () => Promise.reject(new Fault('Unsupported', 'this host has no way to buckets')),
};

/** `hostDir`: STATE/host. `vmUser`: whom QEMU runs as; null where no microVM does. */
export function createHostVolumes(deps: HostVolumesDeps, hostDir: string, vmUser: { uid: number; gid: number } | null): Volumes {
  const { clock, oneUser } = deps;
  const shared = createSharedVolumes(clock, hostDir, oneUser);
  const block = createBlockVolumes(clock, hostDir, vmUser);
  const bucket = deps.buckets === undefined ? noBuckets : createBucketVolumes({ ...deps.buckets, clock }, shared, hostDir);
  return createVolumes(
    {
      scratch: scratchKind,
      shared: {
        prepare: async (taskId, volume, use) => ({ kind: 'directory', ...(await shared.prepare(taskId, volume, use)) }),
        release: shared.release,
        recover: shared.recover,
      },
      bucket,
      block: { prepare: (taskId, volume, { kind }) => block.prepare(taskId, volume, kind), release: block.release, recover: block.recover },
    },
    block,
    shared.removeFileSystem,
  );
}
