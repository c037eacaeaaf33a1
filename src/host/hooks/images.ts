/** Makes the images ready, all at the same time, and pins them for the task. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { Images } from '#image/types.ts';
import { bounded } from '../outcome.ts';
import type { Hook, TaskRun } from '../run.ts';

export function imagesHook(deps: { images: Images; clock: Clock }): Hook {
  const prepareOne = async (run: TaskRun, container: ContainerSpec) => {
    try {
      const auth = run.registryAuth[container.name];
      const image = await deps.images.prepare(container.image, {
        taskId: run.taskId,
        check: 'if-missing',
        signal: run.signal,
        ...(auth === undefined ? {} : { auth }),
      });
      run.images[container.name] = image;
      run.updateContainer(container.name, { imageDigest: image.digest });
    } catch (error) {
      if (run.signal.aborted) throw error;
      const fault = pullFault(error);
      run.updateContainer(container.name, { reason: bounded(fault.message) });
      throw fault;
    }
  };
  return {
    name: 'images',
    async prepare(run) {
      run.update({ status: 'ACTIVATING', pullStartedAt: deps.clock.now() });
      const results = await Promise.allSettled(run.spec.containers.map((container) => prepareOne(run, container)));
      run.update({ pullStoppedAt: deps.clock.now() });
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
    release: (run) => deps.images.unpin(run.taskId),
  };
}

function pullFault(error: unknown): Fault {
  if (isFault(error, 'CannotPullContainer') || isFault(error, 'ResourceInitialization')) return error;
  return new Fault('CannotPullContainer', `CannotPullContainerError: ${asFault(error).message}`, { cause: error });
}
