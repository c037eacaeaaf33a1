/** All kinds of volumes as a host has them. */
import { scratchKind } from './scratch.ts';
import { createSharedVolumes } from './shared.ts';
import { createVolumes } from './volumes.ts';
import type { Volumes } from './volumes.ts';

/** `hostDir`: STATE/host. */
export function createHostVolumes(hostDir: string): Volumes {
  const shared = createSharedVolumes(hostDir);
  return createVolumes({
    scratch: scratchKind,
    shared: {
      prepare: async (taskId, volume) => ({ kind: 'directory', path: await shared.prepare(taskId, volume) }),
      release: shared.release,
    },
  });
}
