/**
 * What tasks use, in the names of AWS. Pure. Sources: ECS developer guide, "Amazon ECS CloudWatch metrics" (AWS/ECS: of services, always); CloudWatch
 * user guide, "Amazon ECS Container Insights metrics" and "... with enhanced observability" (ECS/ContainerInsights: as the cluster's setting says).
 */
import type { ClusterRecord } from '#domain/records.ts';
import type { ServiceRecord } from '#domain/service.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { Dimensions } from '#metrics/types.ts';
import type { Gathered } from './gathered.ts';

/** What is read here of a host's answer to `task-stats`. */
export type TaskStats = {
  readAtMs: number;
  containers: { name: string; cpuNs: number; memoryBytes: number }[];
  task: { cpuNs: number; memoryBytes: number };
  network: { rxBytes: number; txBytes: number } | null;
  disk?: { usedBytes: number; readBytes?: number | undefined; writtenBytes?: number | undefined } | undefined;
};

export type Insights = 'disabled' | 'enabled' | 'enhanced';

/** A running task, what it told now, and what it told at the look before (undefined: none). */
export type TaskLook = { task: TaskRecord; insights: Insights; stats: TaskStats; before: TaskStats | undefined };

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;
const INSIGHTS = 'ECS/ContainerInsights';

export function insightsOf(cluster: ClusterRecord | undefined): Insights {
  const value = cluster?.settings.find(({ name }) => name === 'containerInsights')?.value;
  return value === 'enabled' || value === 'enhanced' ? value : 'disabled';
}

/** Whether anything is told of this task, so that its host needn't be asked in vain. */
export function isTold(task: TaskRecord, insights: Insights): boolean {
  return task.desired.service !== null || insights !== 'disabled';
}

export function taskMetrics(gathered: Gathered, looks: readonly TaskLook[]): void {
  for (const look of looks) {
    const used = usedBy(look);
    if (look.task.desired.service !== null) serviceUtilization(gathered, look, used);
    if (look.insights !== 'disabled') insightsOfTask(gathered, look, used);
    if (look.insights === 'enhanced') enhancedOfTask(gathered, look, used);
  }
}

/**
 * CPU in units (1024 are a core), memory in MiB, network in bytes a second, the task's disk in GiB and what went through it since the look before in bytes;
 * NaN where it isn't told, or a rate has no look before it.
 */
type Used = {
  seconds: number;
  cpu: number;
  cpuReserved: number;
  memory: number;
  memoryReserved: number;
  rx: number;
  tx: number;
  disk: number;
  diskReserved: number;
  read: number;
  written: number;
};

function usedBy({ task, stats, before }: TaskLook): Used {
  const seconds = before === undefined ? NaN : (stats.readAtMs - before.readAtMs) / 1000;
  const { cpuMillis, memoryBytes, ephemeralBytes } = task.desired.spec;
  const grown = (now: number | undefined, then: number | undefined) =>
    now === undefined || then === undefined ? NaN : Math.max(0, now - then);
  const rate = (now: number | undefined, then: number | undefined) => grown(now, then) / seconds;
  return {
    seconds,
    cpu: rounded((rate(stats.task.cpuNs, before?.task.cpuNs) / 1e9) * 1024),
    cpuReserved: (cpuMillis * 1024) / 1000,
    memory: rounded(stats.task.memoryBytes / MEBIBYTE),
    memoryReserved: memoryBytes / MEBIBYTE,
    rx: rounded(rate(stats.network?.rxBytes, before?.network?.rxBytes)),
    tx: rounded(rate(stats.network?.txBytes, before?.network?.txBytes)),
    disk: rounded((stats.disk?.usedBytes ?? NaN) / GIBIBYTE),
    diskReserved: rounded(ephemeralBytes / GIBIBYTE),
    read: grown(stats.disk?.readBytes, before?.disk?.readBytes),
    written: grown(stats.disk?.writtenBytes, before?.disk?.writtenBytes),
  };
}

/** What is beyond is noise, and would be stored. */
const rounded = (value: number) => Math.round(value * 10_000) / 10_000;
const percent = (part: number, whole: number) => (whole > 0 ? rounded((part / whole) * 100) : NaN);

function serviceUtilization(gathered: Gathered, { task }: TaskLook, used: Used): void {
  const dimensions = { ClusterName: task.key.cluster, ServiceName: task.desired.service?.name ?? '' };
  gathered.add(task.key, 'AWS/ECS', dimensions, 'CPUUtilization', 'Percent', percent(used.cpu, used.cpuReserved));
  gathered.add(task.key, 'AWS/ECS', dimensions, 'MemoryUtilization', 'Percent', percent(used.memory, used.memoryReserved));
}

function insightsOfTask(gathered: Gathered, { task, insights }: TaskLook, used: Used): void {
  const cluster = { ClusterName: task.key.cluster };
  const sets: Dimensions[] = [cluster, { ...cluster, TaskDefinitionFamily: task.desired.family }];
  if (task.desired.service !== null) sets.push({ ...cluster, ServiceName: task.desired.service.name });
  if (insights === 'enhanced') sets.push({ ...cluster, TaskDefinitionFamily: task.desired.family, TaskId: task.key.id });
  for (const dimensions of sets) {
    const add = (name: string, unit: string, value: number) => gathered.add(task.key, INSIGHTS, dimensions, name, unit, value);
    add('CpuUtilized', 'None', used.cpu);
    add('CpuReserved', 'None', used.cpuReserved);
    add('MemoryUtilized', 'Megabytes', used.memory);
    add('MemoryReserved', 'Megabytes', used.memoryReserved);
    add('NetworkRxBytes', 'Bytes/Second', used.rx);
    add('NetworkTxBytes', 'Bytes/Second', used.tx);
    add('StorageReadBytes', 'Bytes', used.read);
    add('StorageWriteBytes', 'Bytes', used.written);
    add('EphemeralStorageUtilized', 'Gigabytes', used.disk);
    add('EphemeralStorageReserved', 'Gigabytes', used.diskReserved);
    if (insights !== 'enhanced') continue;
    add('TaskCpuUtilization', 'Percent', percent(used.cpu, used.cpuReserved));
    add('TaskMemoryUtilization', 'Percent', percent(used.memory, used.memoryReserved));
    add('TaskEphemeralStorageUtilization', 'Percent', percent(used.disk, used.diskReserved));
  }
}

/** Container by container. Their network is the task's: they share its interface. */
function enhancedOfTask(gathered: Gathered, { task, stats, before }: TaskLook, used: Used): void {
  const dimensions = { ClusterName: task.key.cluster, TaskDefinitionFamily: task.desired.family, TaskId: task.key.id };
  for (const { name, cpuNs, memoryBytes } of stats.containers) {
    const of = { ...dimensions, ContainerName: name };
    const add = (metric: string, unit: string, value: number) => gathered.add(task.key, INSIGHTS, of, metric, unit, value);
    const then = before?.containers.find((one) => one.name === name);
    const spec = task.desired.spec.containers.find((one) => one.name === name);
    const observed = task.observed.containers.find((one) => one.name === name);
    const cpu = then === undefined ? NaN : rounded((Math.max(0, cpuNs - then.cpuNs) / used.seconds / 1e9) * 1024);
    // What asked for nothing of its own may have all that the task has.
    const cpuReserved = ((spec?.cpuMillis ?? 0) * 1024) / 1000 || used.cpuReserved;
    const memory = rounded(memoryBytes / MEBIBYTE);
    const memoryReserved = (spec?.memoryBytes ?? spec?.memoryReservationBytes ?? task.desired.spec.memoryBytes) / MEBIBYTE;
    add('ContainerCpuUtilized', 'None', cpu);
    add('ContainerCpuReserved', 'None', cpuReserved);
    add('ContainerCpuUtilization', 'Percent', percent(cpu, cpuReserved));
    add('ContainerMemoryUtilized', 'Megabytes', memory);
    add('ContainerMemoryReserved', 'Megabytes', memoryReserved);
    add('ContainerMemoryUtilization', 'Percent', percent(memory, memoryReserved));
    add('ContainerNetworkRxBytes', 'Bytes/Second', used.rx);
    add('ContainerNetworkTxBytes', 'Bytes/Second', used.tx);
    add('RestartCount', 'Count', observed?.restartCount ?? 0);
    if (spec?.health) add('UnHealthyContainerHealthStatus', 'Count', observed?.health === 'UNHEALTHY' ? 1 : 0);
  }
}

/** Counts of clusters and services that have Container Insights. `running` and `pending` by service: how many tasks. */
export function countMetrics(
  gathered: Gathered,
  cluster: ClusterRecord,
  services: readonly { service: ServiceRecord; running: number; pending: number; deployments: number; taskSets: number }[],
  tasks: number,
): void {
  const dimensions = { ClusterName: cluster.key.name };
  gathered.add(cluster.key, INSIGHTS, dimensions, 'TaskCount', 'Count', tasks);
  gathered.add(cluster.key, INSIGHTS, dimensions, 'ServiceCount', 'Count', services.length);
  for (const { service, running, pending, deployments, taskSets } of services) {
    const of = { ...dimensions, ServiceName: service.key.name };
    const add = (name: string, value: number) => gathered.add(cluster.key, INSIGHTS, of, name, 'Count', value);
    add('DesiredTaskCount', service.desired.desiredCount);
    add('RunningTaskCount', running);
    add('PendingTaskCount', pending);
    add('DeploymentCount', deployments);
    add('TaskSetCount', taskSets);
  }
}
