/** All kinds of volumes as a host has them. */
import type { Clock } from '#base/clock.ts';
import { createBlockVolumes } from './block.ts';
import { scratchKind } from './scratch.ts';
import { createSharedVolumes } from './shared.ts';
import { createVolumes } from './volumes.ts';
import type { Volumes } from './volumes.ts';

/** `hostDir`: STATE/host. `vmUser`: whom QEMU runs as; null where no microVM does. */
export function createHostVolumes(clock: Clock, hostDir: string, vmUser: { uid: number; gid: number } | null): Volumes {
  const shared = createSharedVolumes(hostDir);
  const block = createBlockVolumes(clock, hostDir, vmUser);
  return createVolumes(
    {
      scratch: scratchKind,
      shared: {
        prepare: async (taskId, volume) => {
          const path = await shared.prepare(taskId, volume);
          return { kind: 'directory', path, user: volume.found?.kind === 'directory' ? (volume.found.user ?? null) : null };
        },
        release: shared.release,
      },
      block: { prepare: block.prepare, release: block.release },
    },
    block,
  );
}
