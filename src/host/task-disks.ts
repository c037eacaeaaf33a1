/** Whether tasks of this host have disks of their own, of the size that they ask for: by making one. */
import { asFault } from '#base/fault.ts';
import type { HostInfo } from '#domain/records.ts';
import { modelOf } from '#sandbox/storage.ts';
import type { WorkerClient } from '#supervisor/worker-client.ts';

export type TaskDisks = {
  /** Where the files are that disks are copied from; null: what tasks write is limited by the host's disk alone. */
  models: string | null;
  info: NonNullable<HostInfo['taskDisks']>;
};

/** What a task gets that asks for nothing (AWS: "Fargate task ephemeral storage"). */
const USUAL_BYTES = 20 * 1024 ** 3;

/** `dir`: a directory on the file system that the tasks use. `wanted`: false when the administrator wants none (up --no-disk-limit). */
export async function probeTaskDisks(
  worker: Pick<WorkerClient, 'diskProbe'>,
  dir: string,
  models: string,
  wanted: boolean,
): Promise<TaskDisks> {
  if (!wanted) return { models: null, info: { limited: false, reason: 'switched off by up --no-disk-limit' } };
  try {
    await worker.diskProbe({ dir, model: modelOf(models, USUAL_BYTES), bytes: USUAL_BYTES });
    return { models, info: { limited: true, reason: 'a sparse ext4 on a loop device for each task' } };
  } catch (error) {
    return { models: null, info: { limited: false, reason: asFault(error).message } };
  }
}
