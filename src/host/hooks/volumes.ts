/** The task's volumes. They are in its directory, which the sandbox removes. */
import type { Volumes } from '#volume/scratch.ts';
import type { Hook } from '../run.ts';

export function volumesHook(volumes: Volumes): Hook {
  return {
    name: 'volumes',
    async prepare(run) {
      run.volumes = await volumes.prepare(run.dir, run.spec.volumes);
    },
  };
}
