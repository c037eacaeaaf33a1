/** What a container uses, in the shape of Docker's `GET /containers/ID/stats` with the agent's `network_rate_stats`. Pure. */
import type { ContainerStats, TaskStats } from '#supervisor/protocol.ts';

/** One look at a task, and what the machine had worked until then. */
export type Sample = { stats: TaskStats; systemCpuNs: number };

/** Of a task that was not looked at before: it had used nothing when it started. */
export type Before = Sample | { startedAtMs: number };

const NEVER = '0001-01-01T00:00:00Z';

export type StatsOf = { container: string; id: string; cpus: number };

/** null for a container that takes nothing, since it doesn't run. `withRates`: of version 4. */
export function statsResponse(now: Sample, before: Before, of: StatsOf, withRates: boolean): Record<string, unknown> | null {
  const used = now.stats.containers.find((one) => one.name === of.container);
  if (used === undefined) return null;
  const former = 'stats' in before ? before : undefined;
  const usedBefore = former?.stats.containers.find((one) => one.name === of.container);
  return {
    read: new Date(now.stats.readAtMs).toISOString(),
    preread: former === undefined ? NEVER : new Date(former.stats.readAtMs).toISOString(),
    pids_stats: { current: used.pids },
    blkio_stats: blkioStats(used),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(used, now.systemCpuNs, of.cpus),
    precpu_stats: cpuStats(usedBefore, former?.systemCpuNs ?? 0, former === undefined ? 0 : of.cpus),
    memory_stats: { usage: used.memoryBytes, stats: used.detail?.memory ?? {}, limit: used.memoryLimitBytes, failcnt: used.oomKills },
    name: of.container,
    id: of.id,
    ...networkStats(now.stats, before, withRates),
  };
}

function cpuStats(used: ContainerStats | undefined, systemNs: number, cpus: number): Record<string, unknown> {
  const detail = used?.detail;
  return {
    cpu_usage: {
      total_usage: used?.cpuNs ?? 0,
      usage_in_kernelmode: detail?.kernelNs ?? 0,
      usage_in_usermode: detail?.userNs ?? 0,
    },
    system_cpu_usage: systemNs,
    online_cpus: cpus,
    throttling_data: {
      periods: detail?.periods ?? 0,
      throttled_periods: detail?.throttledPeriods ?? 0,
      throttled_time: detail?.throttledNs ?? 0,
    },
  };
}

/** As Docker tells them under cgroup v2, which counts bytes and operations and no more. */
function blkioStats({ detail }: ContainerStats): Record<string, unknown> {
  const io = detail?.io ?? [];
  const both = (read: (one: (typeof io)[number]) => number, write: (one: (typeof io)[number]) => number) =>
    io.flatMap((one) => [
      { major: one.major, minor: one.minor, op: 'read', value: read(one) },
      { major: one.major, minor: one.minor, op: 'write', value: write(one) },
    ]);
  return {
    io_service_bytes_recursive: both(
      (one) => one.readBytes,
      (one) => one.writtenBytes,
    ),
    io_serviced_recursive: both(
      (one) => one.reads,
      (one) => one.writes,
    ),
    io_queue_recursive: [],
    io_service_time_recursive: [],
    io_wait_time_recursive: [],
    io_merged_recursive: [],
    io_time_recursive: [],
    sectors_recursive: [],
  };
}

/** The interface is the task's, and so the same in each of its containers. */
function networkStats(stats: TaskStats, before: Before, withRates: boolean): Record<string, unknown> {
  const { network, readAtMs } = stats;
  if (network === null) return {};
  const then = 'stats' in before ? before.stats.network : null;
  const since = 'stats' in before ? before.stats.readAtMs : before.startedAtMs;
  const rate = (bytes: number, former: number) => Math.max(0, (bytes - former) / Math.max(0.001, (readAtMs - since) / 1000));
  const eth0 = {
    rx_bytes: network.rxBytes,
    rx_packets: network.rxPackets,
    rx_errors: 0,
    rx_dropped: 0,
    tx_bytes: network.txBytes,
    tx_packets: network.txPackets,
    tx_errors: 0,
    tx_dropped: 0,
  };
  const rates = {
    rx_bytes_per_sec: rate(network.rxBytes, then?.rxBytes ?? 0),
    tx_bytes_per_sec: rate(network.txBytes, then?.txBytes ?? 0),
  };
  return { networks: { eth0 }, ...(withRates ? { network_rate_stats: rates } : {}) };
}
