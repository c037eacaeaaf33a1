/** All kinds of volumes as a host has them. */
import type { Clock } from '#base/clock.ts';
import { createBlockVolumes } from './block.ts';
import { scratchKind } from './scratch.ts';
import type { OneUser } from './one-user.ts';
import { createSharedVolumes } from './shared.ts';
import { createVolumes } from './volumes.ts';
import type { Volumes } from './volumes.ts';

export type HostVolumesDeps = { clock: Clock; oneUser: OneUser };

/** `hostDir`: STATE/host. `vmUser`: whom QEMU runs as; null where no microVM does. */
export function createHostVolumes(deps: HostVolumesDeps, hostDir: string, vmUser: { uid: number; gid: number } | null): Volumes {
  const { clock, oneUser } = deps;
  const shared = createSharedVolumes(clock, hostDir, oneUser);
  const block = createBlockVolumes(clock, hostDir, vmUser);
  return createVolumes(
    {
      scratch: scratchKind,
      shared: {
        prepare: async (taskId, volume, use) => ({ kind: 'directory', ...(await shared.prepare(taskId, volume, use)) }),
        release: shared.release,
        recover: shared.recover,
      },
      block: { prepare: (taskId, volume, { kind }) => block.prepare(taskId, volume, kind), release: block.release, recover: block.recover },
    },
    block,
    shared.removeFileSystem,
  );
}
