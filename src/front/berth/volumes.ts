/** ListVolumes, RemoveVolume, PruneVolumes: block volumes by name or id, with what they take of their host's disk and who has them. */
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { volumeUsers } from '#domain/block-volume.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskRecord } from '#domain/task.ts';
import { volumeState } from '#domain/volume.ts';
import type { VolumeRecord, VolumeState } from '#domain/volume.ts';
import type { Operation } from '#gateway/types.ts';
import { deleteVolume } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { hostOps } from '#link/operations.ts';
import type { BerthApiDeps } from './types.ts';

/** As the command line shows it. */
type Listed = {
  volumeId: string;
  /** null: it was made for a task or by CreateVolume, without a name. */
  name: string | null;
  state: VolumeState;
  sizeGib: number;
  /** On its host's disk; null where that can't be asked, or it isn't made yet. */
  bytes: number | null;
  hostId: string | null;
  createdAt: number;
  tags: VolumeRecord['desired']['tags'];
  usedBy: { task: string; family: string; cluster: string; service: string | null }[];
};

async function found(deps: BerthApiDeps, { account, region }: Scope): Promise<{ record: VolumeRecord; users: TaskRecord[] }[]> {
  const scope = { account, region };
  return await deps.store.read(async (tx) => {
    const users = volumeUsers(await tx.tasks.list({ ...scope, live: true }));
    return (await tx.volumes.list(scope)).map((record) => ({ record, users: users.get(record.key.id) ?? [] }));
  });
}

/** By the volumes' ids. A host that is away says nothing. */
async function usageOf(deps: BerthApiDeps, records: readonly VolumeRecord[]): Promise<Map<string, number>> {
  const hosts = [...new Set(records.flatMap(({ observed }) => observed.hostId ?? []))];
  const answers = await Promise.allSettled(
    hosts.map((hostId) => deps.hosts.request(hostId, hostOps.volumeUsage, {}, { timeoutMs: limits.taskUsageMs })),
  );
  const told = answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? (answer.value as { volumes: { id: string; bytes: number }[] }).volumes : [],
  );
  return new Map(told.map(({ id, bytes }) => [id, bytes]));
}

export function listVolumes(deps: BerthApiDeps): Operation {
  return {
    name: 'ListVolumes',
    action: 'berth:ListVolumes',
    resources: () => ['*'],
    async handle(_input, context) {
      const all = await found(deps, context);
      const usage = await usageOf(
        deps,
        all.map(({ record }) => record),
      );
      return { volumes: all.map((one) => listed(one, usage)) };
    },
  };
}

function listed({ record, users }: { record: VolumeRecord; users: TaskRecord[] }, usage: ReadonlyMap<string, number>): Listed {
  const { key, desired, observed } = record;
  return {
    volumeId: key.id,
    name: desired.name,
    state: volumeState(record, users.length > 0),
    sizeGib: desired.sizeGib,
    bytes: usage.get(key.id) ?? null,
    hostId: observed.hostId,
    createdAt: desired.createdAt,
    tags: desired.tags,
    usedBy: users.map((task) => ({
      task: task.key.id,
      family: task.desired.family,
      cluster: task.key.cluster,
      service: task.desired.service?.name ?? null,
    })),
  };
}

export function removeVolume(deps: BerthApiDeps, intent: IntentDeps): Operation<{ volume: string }> {
  return {
    name: 'RemoveVolume',
    action: 'berth:RemoveVolume',
    resources: () => ['*'],
    async handle({ volume }, { account, region }) {
      const scope = { account, region };
      const all = await deps.store.read((tx) => tx.volumes.list(scope));
      const one = all.find(({ key, desired }) => desired.name === volume || key.id === volume);
      if (one === undefined)
        throw new Fault('ResourceNotFound', `There is no volume '${clip(volume)}': berth volumes ls shows those that are here.`);
      await plainly(() => deleteVolume(intent, scope, one.key.id));
      return { volumeId: one.key.id, name: one.desired.name };
    },
  };
}

/** Those with a name that no task has; `all`: those without one too. */
export function pruneVolumes(deps: BerthApiDeps, intent: IntentDeps): Operation<{ all?: boolean }> {
  return {
    name: 'PruneVolumes',
    action: 'berth:PruneVolumes',
    resources: () => ['*'],
    async handle({ all = false }, context) {
      const { account, region } = context;
      const unused = (await found(deps, context)).filter(
        ({ record: { desired }, users }) => users.length === 0 && desired.deletedAt === null && (all || desired.name !== null),
      );
      const usage = await usageOf(
        deps,
        unused.map(({ record }) => record),
      );
      const removed: string[] = [];
      let freedBytes = 0;
      for (const { record } of unused) {
        try {
          await deleteVolume(intent, { account, region }, record.key.id);
        } catch (error) {
          // A task came to have it meanwhile, or it is gone.
          if (isFault(error, 'Conflict') || isFault(error, 'ResourceNotFound')) continue;
          throw error;
        }
        removed.push(record.desired.name ?? record.key.id);
        freedBytes += usage.get(record.key.id) ?? 0;
      }
      return { removed, freedBytes };
    },
  };
}

/** Without EC2's names of errors. */
async function plainly(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, message } = asFault(error);
    throw new Fault(code, message, { cause: error });
  }
}
