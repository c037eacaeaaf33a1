/** The task's volumes. The scratch ones are in its directory, which the sandbox removes; shared ones outlive it. */
import type { Volumes } from '#volume/volumes.ts';
import type { Hook } from '../run.ts';

export function volumesHook(volumes: Volumes): Hook {
  return {
    name: 'volumes',
    async prepare(run) {
      run.volumes = await volumes.prepare(run.taskId, run.spec.volumes);
    },
    release: (run) => volumes.release(run.taskId, run.spec.volumes),
  };
}
