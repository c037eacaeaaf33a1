/** The task's volumes. The scratch ones are in its directory, which the sandbox removes; shared ones outlive it. */
import { Fault } from '#base/fault.ts';
import type { Volumes } from '#volume/scratch.ts';
import type { SharedVolumes } from '#volume/shared.ts';
import type { Hook } from '../run.ts';

export function volumesHook(volumes: Volumes, shared: SharedVolumes | undefined): Hook {
  return {
    name: 'volumes',
    async prepare(run) {
      const own = run.spec.volumes.filter(({ kind }) => kind === 'scratch');
      const all = await volumes.prepare(run.dir, own);
      for (const volume of run.spec.volumes) {
        if (volume.kind !== 'shared') continue;
        if (shared === undefined)
          throw new Fault('ResourceInitialization', 'CannotCreateVolumeError: this host has no shared file systems');
        all[volume.name] = await shared.prepare(run.taskId, volume);
      }
      run.volumes = all;
    },
    async release(run) {
      if (run.spec.volumes.some(({ kind }) => kind === 'shared')) await shared?.release(run.taskId);
    },
  };
}
