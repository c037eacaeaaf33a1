/** What tasks and their containers use and may use. Pure. */
import type { TaskRecord } from '#domain/task.ts';
import type { Book, Labels } from './exposition.ts';

/** What is read here of a host's answer to `task-stats` (supervisor/protocol.ts). */
export type TaskStats = {
  readAtMs: number;
  containers: {
    name: string;
    cpuNs: number;
    memoryBytes: number;
    memoryLimitBytes: number;
    pids: number;
    oomKills: number;
    detail?: { throttledNs: number; periods: number; throttledPeriods: number } | undefined;
  }[];
  task: { cpuNs: number; memoryBytes: number };
  network: { rxBytes: number; txBytes: number; rxPackets: number; txPackets: number } | null;
  disk?: { usedBytes: number; sizeBytes: number; readBytes?: number | undefined; writtenBytes?: number | undefined } | undefined;
};

/** `stats`: undefined where the host doesn't tell. */
export function taskFamilies(book: Book, task: TaskRecord, stats: TaskStats | undefined): void {
  const { key, desired, observed, placement } = task;
  const labels: Labels = {
    region: key.region,
    cluster: key.cluster,
    service: desired.service?.name ?? '',
    family: desired.family,
    task: key.id,
  };
  book.info('berth_task', 'A task that has not stopped: its revision, host and kind of isolation.', {
    ...labels,
    revision: String(desired.revision),
    host: placement?.hostId ?? '',
    isolation: observed.isolation ?? '',
    status: observed.status,
  });
  const started = observed.startedAt === null ? undefined : observed.startedAt / 1000;
  book.add('gauge', 'berth_task_start_time_seconds', 'When the task came to run, since the epoch.', labels, started);
  book.add('gauge', 'berth_task_cpu_limit_cores', 'Cores that the task asked for.', labels, desired.spec.cpuMillis / 1000);
  book.add('gauge', 'berth_task_memory_limit_bytes', 'Memory that the task asked for.', labels, desired.spec.memoryBytes);
  for (const { name, restartCount } of observed.containers) {
    const of = { ...labels, container: name };
    book.add('counter', 'berth_container_restarts', 'How often the container was started again after its end.', of, restartCount ?? 0);
  }
  if (stats !== undefined) used(book, labels, stats);
}

function used(book: Book, labels: Labels, { task, network, disk, containers }: TaskStats): void {
  book.add('counter', 'berth_task_cpu_seconds', 'Processor time of the whole task.', labels, task.cpuNs / 1e9);
  book.add('gauge', 'berth_task_memory_bytes', 'Memory of the whole task.', labels, task.memoryBytes);
  if (network !== null) {
    const add = (name: string, help: string, value: number) => book.add('counter', `berth_task_network_${name}`, help, labels, value);
    add('receive_bytes', 'What came over the interface of the task.', network.rxBytes);
    add('transmit_bytes', 'What went over the interface of the task.', network.txBytes);
    add('receive_packets', 'Packets that came over the interface of the task.', network.rxPackets);
    add('transmit_packets', 'Packets that went over the interface of the task.', network.txPackets);
  }
  if (disk !== undefined) {
    book.add('gauge', 'berth_task_disk_used_bytes', 'What the task has written to its own disk.', labels, disk.usedBytes);
    book.add('gauge', 'berth_task_disk_size_bytes', 'What the task may write to its own disk.', labels, disk.sizeBytes);
    book.add('counter', 'berth_task_disk_read_bytes', 'What was read from the disk of the task.', labels, disk.readBytes);
    book.add('counter', 'berth_task_disk_written_bytes', 'What was written to the disk of the task.', labels, disk.writtenBytes);
  }
  for (const container of containers) {
    const of = { ...labels, container: container.name };
    const { detail } = container;
    book.add('counter', 'berth_container_cpu_seconds', 'Processor time of the container.', of, container.cpuNs / 1e9);
    book.add('gauge', 'berth_container_memory_bytes', 'Memory of the container.', of, container.memoryBytes);
    book.add('gauge', 'berth_container_memory_limit_bytes', 'Memory that the container may have.', of, container.memoryLimitBytes);
    book.add('gauge', 'berth_container_processes', 'Processes and threads in the container.', of, container.pids);
    book.add('counter', 'berth_container_oom_kills', 'Processes that were killed since memory was out.', of, container.oomKills);
    if (detail === undefined) continue;
    const held = 'For how long the container was held up, since its share of the processor was used up.';
    book.add('counter', 'berth_container_cpu_throttled_seconds', held, of, detail.throttledNs / 1e9);
    book.add('counter', 'berth_container_cpu_periods', 'Periods of the CPU limit that have run.', of, detail.periods);
    book.add('counter', 'berth_container_cpu_throttled_periods', 'Those of them in which it was used up.', of, detail.throttledPeriods);
  }
}
