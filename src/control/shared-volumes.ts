/** What stands behind a task's volumes on shared file systems, looked up when its host is told of it. */
import { sharedPlace } from '#domain/shared-volume.ts';
import type { SharedVolume } from '#domain/shared-volume.ts';
import type { TaskSpec } from '#domain/task-spec.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';

export async function withSharedPlaces(tx: ReadTx, task: TaskRecord): Promise<TaskSpec> {
  const { spec } = task.desired;
  if (!spec.volumes.some((volume) => volume.kind === 'shared')) return spec;
  const volumes = spec.volumes.map(async (volume) => (volume.kind === 'shared' ? await found(tx, task, volume) : volume));
  return { ...spec, volumes: await Promise.all(volumes) };
}

async function found(tx: ReadTx, { key, desired }: TaskRecord, volume: SharedVolume): Promise<SharedVolume> {
  const scope = { account: key.account, region: key.region };
  const system = await tx.fileSystems.get({ ...scope, id: volume.fileSystemId });
  const point = volume.accessPointId === null ? undefined : await tx.accessPoints.get({ ...scope, id: volume.accessPointId });
  const targets = await tx.mountTargets.list(scope);
  const records = { region: key.region, vpcId: desired.network.vpcId, system, point, targets };
  return { ...volume, found: sharedPlace(volume, records) };
}
