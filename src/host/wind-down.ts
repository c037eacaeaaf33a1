/** The end of a task: what happens when containers don't heed, and how everything is given back. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { Hook, TaskRun } from './run.ts';

const GRACE_MS = 20_000;
const RELEASE_TRIES = 6;
const RELEASE_RETRY_MS = 500;

/**
 * The supervisor itself kills what doesn't heed; should it not, `kill` is called after all stop timeouts, one after the other, and
 * `giveUp` when even that changes nothing. Returns the way to cancel both.
 */
export function createKillSwitch(clock: Clock, spec: TaskSpec, actions: { kill(): void; giveUp(): void }): () => void {
  const allMs = spec.containers.reduce((sum, container) => sum + container.stopTimeoutMs, 0);
  let timer: Timer = clock.after(allMs + GRACE_MS, () => {
    timer = clock.after(GRACE_MS, actions.giveUp);
    try {
      actions.kill();
    } catch {
      actions.giveUp(); // nobody is there to be told
    }
  });
  return () => timer.cancel();
}

/** Each hook's release, tried again for a while; what stays undone is logged as a leak, and the rest is released all the same. */
export async function releaseAll(deps: { clock: Clock; log: Log; isOver(): boolean }, hooks: Hook[], run: TaskRun): Promise<void> {
  for (const hook of hooks) {
    for (let tries = 1; !deps.isOver(); tries++) {
      try {
        await hook.release?.(run);
        break;
      } catch (error) {
        if (tries >= RELEASE_TRIES) {
          deps.log.error('task.leak', { taskId: run.taskId, hook: hook.name }, error);
          break;
        }
        deps.log.warn('task.release', { hook: hook.name, tries, reason: asFault(error).message });
        await deps.clock.sleep(RELEASE_RETRY_MS * 2 ** tries);
      }
    }
  }
}
