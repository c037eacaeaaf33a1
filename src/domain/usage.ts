/**
 * What was used, as AWS bills it: of tasks vCPU, memory and ephemeral storage beyond 20 GiB from the start of the pull until they are STOPPED, each to the
 * second and at least for a minute; of volumes what they were asked to be, of file systems what is in them. Pure. Source: AWS Fargate pricing ("Pricing
 * details": "rounded up to the nearest second", a minimum of one minute); EBS and EFS pricing.
 */
import type { FileSystemRecord } from './file-system.ts';
import type { HostRecord } from './records.ts';
import type { Scope } from './scope.ts';
import type { Tag, TaskRecord } from './task.ts';
import type { VolumeRecord } from './volume.ts';

const SECOND_MS = 1000;
const LEAST_MS = 60_000;
const DAY_MS = 24 * 3600_000;
const MIB = 1024 * 1024;
/** Comes with every Fargate task. */
const FREE_EPHEMERAL_MIB = 20 * 1024;

export type UsageKind = 'task' | 'volume' | 'fileSystem';

/** What is taken as long as an entry lasts. Whole numbers, so that sums are exact. */
export type UsageRates = { cpuMillis: number; memoryMib: number; ephemeralMib: number; volumeMib: number; fileSystemMib: number };

/** Something that took up room in [from, to), ms since the epoch. */
export type UsageEntry = {
  key: Scope & { kind: UsageKind; id: string };
  from: number;
  to: number;
  rates: UsageRates;
  /** null: of none. `task`: the id of the task; of a volume that of the one it was made for. */
  task: string | null;
  cluster: string | null;
  service: string | null;
  family: string | null;
  tags: Tag[];
};

const NOTHING: UsageRates = { cpuMillis: 0, memoryMib: 0, ephemeralMib: 0, volumeMib: 0, fileSystemMib: 0 };

/** undefined: nothing of it was pulled yet, and nothing is counted. One that runs counts up to now. */
export function taskUsage({ key, desired, observed }: TaskRecord, now: number): UsageEntry | undefined {
  const from = observed.pullStartedAt;
  if (from === null) return undefined;
  const { cpuMillis, memoryBytes, ephemeralBytes } = desired.spec;
  return {
    key: { account: key.account, region: key.region, kind: 'task', id: key.id },
    from,
    to: observed.stoppedAt === null ? Math.max(from, now) : from + billedMs(observed.stoppedAt - from),
    rates: {
      ...NOTHING,
      cpuMillis,
      memoryMib: Math.ceil(memoryBytes / MIB),
      ephemeralMib: Math.max(0, Math.ceil(ephemeralBytes / MIB) - FREE_EPHEMERAL_MIB),
    },
    task: key.id,
    cluster: key.cluster,
    service: desired.service?.name ?? null,
    family: desired.family,
    tags: desired.tags,
  };
}

const billedMs = (ms: number) => Math.max(LEAST_MS, Math.ceil(ms / SECOND_MS) * SECOND_MS);

/** Since its size was changed last; what it was before that is in the ledger. `task`: the one that it was made for, if its record is still there. */
export function volumeUsage({ key, desired }: VolumeRecord, task: TaskRecord | undefined, until: number): UsageEntry {
  const from = desired.modification?.at ?? desired.createdAt;
  return {
    key: { account: key.account, region: key.region, kind: 'volume', id: key.id },
    from,
    to: Math.max(from, Math.min(desired.deletedAt ?? Infinity, until)),
    rates: { ...NOTHING, volumeMib: desired.sizeGib * 1024 },
    task: desired.task?.id ?? null,
    cluster: desired.task?.cluster ?? null,
    service: task?.desired.service?.name ?? null,
    family: task?.desired.family ?? null,
    tags: desired.tags,
  };
}

/** As its host last measured it; undefined: nobody did. */
export function fileSystemBytes(hosts: readonly HostRecord[], id: string): number | undefined {
  const sizes = hosts.flatMap(({ usage }) => usage.fileSystems ?? []).filter((size) => size.id === id);
  return sizes.toSorted((a, b) => b.at - a.at)[0]?.bytes;
}

/** Its size as it is now, since `from`. */
export function fileSystemUsage({ key, tags }: FileSystemRecord, bytes: number, from: number, to: number): UsageEntry {
  return {
    key: { account: key.account, region: key.region, kind: 'fileSystem', id: key.id },
    from,
    to: Math.max(from, to),
    rates: { ...NOTHING, fileSystemMib: Math.ceil(bytes / MIB) },
    task: null,
    cluster: null,
    service: null,
    family: null,
    tags,
  };
}

/** What is summed by. `tag:KEY`: the values of this tag. */
export type UsageGrouping = 'task' | 'service' | 'cluster' | 'family' | 'day' | `tag:${string}`;

/** undefined: the text is no grouping. */
export function usageGrouping(text: string): UsageGrouping | undefined {
  if (['task', 'service', 'cluster', 'family', 'day'].includes(text)) return text as UsageGrouping;
  return text.startsWith('tag:') && text.length > 'tag:'.length ? (text as UsageGrouping) : undefined;
}

/** [start, end) in ms since the epoch; the end may be Infinity. */
export type UsageSpan = { start: number; end: number };

/** The rates of UsageRates, each times milliseconds, and how many tasks there were. */
export type UsageSum = Record<keyof UsageRates, number> & { tasks: number };

const RATES = Object.keys(NOTHING) as (keyof UsageRates)[];
export const emptyUsage = (): UsageSum => ({ ...NOTHING, tasks: 0 });

export function addUsage(sum: UsageSum, { key, from, to, rates }: UsageEntry, span: UsageSpan): void {
  const ms = Math.min(to, span.end) - Math.max(from, span.start);
  if (ms <= 0) return;
  for (const rate of RATES) sum[rate] += rates[rate] * ms;
  if (key.kind === 'task') sum.tasks += 1;
}

/** The names of the groups that an entry counts for in this span, and the part of the span that each is about. */
export function usageGroups(entry: UsageEntry, by: UsageGrouping, span: UsageSpan): { name: string; span: UsageSpan }[] {
  if (by !== 'day') return [{ name: groupName(entry, by), span }];
  const [start, end] = [Math.max(entry.from, span.start), Math.min(entry.to, span.end)];
  const days: { name: string; span: UsageSpan }[] = [];
  for (let day = Math.floor(start / DAY_MS) * DAY_MS; day < end; day += DAY_MS) {
    const within = { start: Math.max(day, span.start), end: Math.min(day + DAY_MS, span.end) };
    days.push({ name: new Date(day).toISOString().slice(0, 10), span: within });
  }
  return days;
}

/** '': none, as a task without the tag, or a volume of no service. */
function groupName(entry: UsageEntry, by: Exclude<UsageGrouping, 'day'>): string {
  switch (by) {
    case 'task':
      return entry.task ?? entry.key.id;
    case 'service':
      return entry.service === null ? '' : `${entry.cluster}/${entry.service}`;
    case 'cluster':
      return entry.cluster ?? '';
    case 'family':
      return entry.family ?? '';
    default:
      return entry.tags.find(({ key }) => key === by.slice('tag:'.length))?.value ?? '';
  }
}
