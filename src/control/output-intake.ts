/**
 * Output of tasks on its way from one host to the logs. A host has a few batches of each lane under way and sends them until they are
 * acknowledged, so a batch that is dropped here costs time only: those behind it are taken after it.
 */
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { LogTarget } from '#domain/task-spec.ts';
import type { TaskKey } from '#domain/task.ts';
import type { OutputBatch } from '#link/protocol.ts';
import type { Store } from '#store/types.ts';
import type { ControlDeps } from './types.ts';

export type OutputIntake = {
  /** Takes a batch, or drops it when too many are under way. Those of one lane of a task are taken one after the other. */
  take(batch: OutputBatch): void;
  /** The task is over. */
  forget(taskId: string): void;
};

type Source = { key: TaskKey; targets: Record<string, LogTarget | null> };

export function createOutputIntake(
  deps: { store: Store; log: Log; onOutput: ControlDeps['onOutput'] },
  hostId: string,
  acknowledge: (taskId: string, to: number, lane: number | undefined) => void,
): OutputIntake {
  const { store, log } = deps;
  const lines = new Map<string, Promise<void>>();
  /** Of each lane, the end of what was taken of it over this connection. */
  const taken = new Map<string, number>();
  const sources = new Map<string, Source>();
  let underWay = 0;

  /** null: not a task of this host. The key is the store's: a host must not write into another account's logs. */
  const findSource = async (taskId: string): Promise<Source | null> => {
    const known = sources.get(taskId);
    if (known !== undefined) return known;
    const task = await store.read((tx) => tx.tasks.byId(taskId));
    if (task?.placement?.hostId !== hostId) return null;
    const targets = Object.fromEntries(task.desired.spec.containers.map((container) => [container.name, container.log]));
    const source = { key: task.key, targets };
    sources.set(taskId, source);
    return source;
  };
  const ingest = async (place: string, batch: OutputBatch) => {
    const taskId = batch.key.id;
    // One before it was lost or refused: both come again, in their order.
    if (batch.from > Math.max(taken.get(place) ?? 0, batch.acked ?? batch.from)) return;
    try {
      const source = await findSource(taskId);
      // Of a task that is not known any more nobody can ask: let the host free it.
      if (source !== null) await deps.onOutput({ ...batch, key: source.key }, source.targets);
      taken.set(place, Math.max(taken.get(place) ?? 0, batch.to));
      acknowledge(taskId, batch.to, batch.lane);
    } catch (error) {
      const fault = asFault(error);
      log.warn('output-refused', { taskId, code: fault.code, message: fault.message });
    }
  };
  return {
    take(batch) {
      if (underWay >= limits.outputBatches) return;
      underWay++;
      const place = `${batch.key.id}/${batch.lane ?? 0}`;
      const line = (lines.get(place) ?? Promise.resolve()).then(async () => {
        await ingest(place, batch);
        underWay--;
        if (lines.get(place) === line) lines.delete(place);
      });
      lines.set(place, line);
    },
    forget(taskId) {
      sources.delete(taskId);
      for (const place of taken.keys()) if (place.startsWith(`${taskId}/`)) taken.delete(place);
    },
  };
}
