/** The task's volumes. The scratch ones are in its directory, which the sandbox removes; shared ones and block volumes outlive it. */
import type { IsolationKind } from '#domain/task-spec.ts';
import type { Volumes } from '#volume/volumes.ts';
import type { Hook, TaskRun } from '../run.ts';

/** `kindOf`: the kind of sandbox that the task gets. */
export function volumesHook(volumes: Volumes, kindOf: (run: TaskRun) => IsolationKind): Hook {
  return {
    name: 'volumes',
    async prepare(run) {
      if (run.spec.volumes.length === 0) return;
      const usersOf = (volume: string) =>
        run.spec.containers
          .filter((container) => container.mounts.some((mount) => mount.volume === volume))
          .map((container) => container.user ?? run.images[container.name]?.config.user ?? '');
      run.volumes = await volumes.prepare(run.taskId, run.spec.volumes, { kind: kindOf(run), usersOf, signal: run.signal });
    },
    release: (run) => volumes.release(run.taskId, run.spec.volumes),
  };
}
