/**
 * GetUsage: vCPU, memory and storage that were used in a span of time, in the terms of Fargate's bill, summed by task, service, cluster, family, day or the values
 * of a tag. What runs counts up to now. Throws InvalidParameter, LimitExceeded where the groups would be too many for one answer.
 */
import { Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import {
  addUsage,
  emptyUsage,
  fileSystemBytes,
  fileSystemUsage,
  taskUsage,
  usageGrouping,
  usageGroups,
  volumeUsage,
} from '#domain/usage.ts';
import type { UsageEntry, UsageGrouping, UsageSpan, UsageSum } from '#domain/usage.ts';
import type { Operation } from '#gateway/types.ts';
import type { ReadTx, Store, UsagePlace } from '#store/types.ts';
import type { BerthApiDeps } from './types.ts';

/** Times in ms since the epoch. Without `until` all that was begun is counted to its end. */
type Input = { since?: number; until?: number; by?: string };

export function getUsage(deps: Pick<BerthApiDeps, 'store' | 'clock'>): Operation<Input> {
  return {
    name: 'GetUsage',
    action: 'berth:GetUsage',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      const span = spanOf(input);
      const by = usageGrouping(input.by ?? 'service');
      if (by === undefined)
        throw new Fault(
          'InvalidParameter',
          `by must be task, service, cluster, family, day or tag:KEY, not '${(input.by ?? '').slice(0, 100)}'.`,
        );
      const now = deps.clock.now();
      const sums = await summed(deps.store, { account, region }, by, span, now);
      const groups = [...sums.groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, sum]) => ({ name, ...amounts(sum) }));
      return {
        at: now,
        since: span.start,
        ...(input.until === undefined ? {} : { until: span.end }),
        by,
        groups,
        total: amounts(sums.total),
      };
    },
  };
}

function spanOf({ since = 0, until = Infinity }: Input): UsageSpan {
  if (!Number.isFinite(since) || since < 0)
    throw new Fault('InvalidParameter', `since must be a time in milliseconds since 1970, not ${since}.`);
  if (!(until > since)) throw new Fault('InvalidParameter', 'until must be later than since.');
  return { start: Math.floor(since), end: Math.floor(until) };
}

async function summed(store: Store, scope: Scope, by: UsageGrouping, span: UsageSpan, now: number) {
  const groups = new Map<string, UsageSum>();
  const total = emptyUsage();
  const add = (entry: UsageEntry) => {
    addUsage(total, entry, span);
    for (const group of usageGroups(entry, by, span)) {
      const sum = groups.get(group.name) ?? emptyUsage();
      addUsage(sum, entry, group.span);
      if (groups.size >= limits.usageGroups && !groups.has(group.name)) {
        throw new Fault(
          'LimitExceeded',
          `There are more than ${limits.usageGroups} groups: ask for a shorter span, or by something coarser than ${by}.`,
        );
      }
      groups.set(group.name, sum);
    }
  };
  // What lives is looked at first: what of it ends meanwhile is in the ledger too, and passed over there.
  const live = await store.read((tx) => liveEntries(tx, scope, now));
  const seen = new Set(live.map(placeName));
  for (const entry of live) if (reaches(entry, span)) add(entry);
  let after: UsagePlace | undefined;
  for (;;) {
    const page = await store.read((tx) => tx.usage.page(scope, span, after, limits.usagePage));
    for (const entry of page) if (!seen.has(placeName(entry))) add(entry);
    const last = page.at(-1);
    if (last === undefined || page.length < limits.usagePage) return { groups, total };
    after = { to: last.to, kind: last.key.kind, id: last.key.id, from: last.from };
  }
}

/** An entry that lives and the one that it becomes begin at the same time. */
const placeName = ({ key, from }: UsageEntry) => `${key.kind} ${key.id} ${from}`;
const reaches = ({ from, to }: UsageEntry, { start, end }: UsageSpan) => from < end && to > start;

async function liveEntries(tx: ReadTx, scope: Scope, now: number): Promise<UsageEntry[]> {
  const tasks = (await tx.tasks.list({ ...scope, live: true })).map((task) => taskUsage(task, now));
  const volumes = [];
  for (const volume of await tx.volumes.list(scope)) {
    const task = volume.desired.task === null ? undefined : await tx.tasks.byId(volume.desired.task.id);
    volumes.push(volumeUsage(volume, task, now));
  }
  const hosts = await tx.hosts.list({});
  const systems = [];
  for (const system of await tx.fileSystems.list(scope)) {
    const from = (await tx.usage.lastEnd('fileSystem', system.key.id)) ?? system.createdAt;
    systems.push(fileSystemUsage(system, fileSystemBytes(hosts, system.key.id) ?? 0, from, now));
  }
  return [...tasks, ...volumes, ...systems].filter((entry) => entry !== undefined);
}

const GIB_MIB = 1024;
const HOUR_MS = 3600_000;

function amounts(sum: UsageSum): { [name: string]: Json } {
  return {
    tasks: sum.tasks,
    vcpuSeconds: sum.cpuMillis / 1_000_000,
    gbSeconds: sum.memoryMib / GIB_MIB / 1000,
    ephemeralGbHours: sum.ephemeralMib / GIB_MIB / HOUR_MS,
    volumeGbHours: sum.volumeMib / GIB_MIB / HOUR_MS,
    fileSystemGbHours: sum.fileSystemMib / GIB_MIB / HOUR_MS,
  };
}
