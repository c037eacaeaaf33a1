/** What a host asks of the buckets that file systems show, and what it says of those file systems: `bucketSystems.observed` is kept here. */
import { Fault, type Json } from '#base/fault.ts';
import type { BucketVolume } from '#domain/bucket-files.ts';
import type { BucketSystemState } from '#domain/s3-files.ts';
import { controlOps } from '#link/operations.ts';
import type { BucketCall } from '#link/operations.ts';
import type { ByteStream, ControlConnection } from '#link/types.ts';
import type { Store } from '#store/types.ts';
import type { ControlDeps } from './types.ts';

type Deps = { store: Store; buckets?: ControlDeps['buckets'] };

export function handleBuckets({ store, buckets }: Deps, hostId: string, connection: ControlConnection): void {
  if (buckets === undefined) return;
  connection.handle(controlOps.bucketMount, async (body) => {
    const { taskId, volume } = body as unknown as { taskId: string; volume: BucketVolume };
    const task = await store.read((tx) => tx.tasks.byId(taskId));
    const asked = task?.desired.spec.volumes.find((one) => one.kind === 'bucket' && one.name === volume.name);
    if (task?.placement?.hostId !== hostId || asked?.kind !== 'bucket') {
      throw new Fault('TaskNotFound', `task ${taskId} on this host has no volume ${volume.name} of a bucket`);
    }
    return (await buckets.mount(task, asked)) as unknown as Json;
  });
  const on = (op: string, answer: (call: BucketCall, stream: ByteStream | null) => Promise<unknown>) =>
    connection.handle(op, async (body, { stream }) => ((await answer(body as unknown as BucketCall, stream)) ?? null) as Json);
  on(controlOps.bucketList, (call, stream) => buckets.list(call, stream));
  on(controlOps.bucketGet, (call, stream) => buckets.get(call, stream));
  on(controlOps.bucketPut, (call, stream) => buckets.put(call, stream));
  on(controlOps.bucketRemove, (call) => buckets.remove(call));
  on(controlOps.bucketReport, ({ system, state }) => keep(store, hostId, system, state));
}

async function keep(store: Store, hostId: string, system: BucketCall['system'], state: BucketSystemState | undefined): Promise<void> {
  await store.write(async (tx) => {
    const record = await tx.bucketSystems.get(system);
    if (record === undefined || state === undefined) return;
    const hosts = { ...record.observed.hosts, [hostId]: state };
    await tx.bucketSystems.setObserved(record.key, { hosts }, record.revision);
  });
}
