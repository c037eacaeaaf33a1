/** What tasks use, as `berth top` shows it: rates between two looks. Pure but for the call. */
import type { Answer, Client } from './client.ts';
import type { TaskRow } from './tasks.ts';

/** As the supervisor tells it (TaskStats); numbers are totals since the start. */
type Usage = {
  readAtMs: number;
  containers: { name: string; cpuNs: number; memoryBytes: number; memoryLimitBytes: number; pids: number }[];
  network: { rxBytes: number; txBytes: number } | null;
  disk?: { usedBytes: number; sizeBytes: number } | undefined;
};
/** By task id. */
export type Look = Map<string, Usage>;

export type UsageRow = {
  task: TaskRow;
  container: string;
  /** Of one core; null before a second look. */
  cpuPercent: number | null;
  memoryBytes: number;
  memoryLimitBytes: number;
  pids: number;
  /** Bytes a second of the task's interface, said once a task; null before a second look, and in its further containers. */
  rx: number | null;
  tx: number | null;
  /** Of the task's own disk, said once a task; null where it has none, and in its further containers. */
  diskBytes: number | null;
  diskLimitBytes: number | null;
};

/** TaskUsage takes so many at once. */
const ASK_MAX = 100;

export async function lookAt(client: Client, tasks: TaskRow[]): Promise<Look> {
  const look: Look = new Map();
  for (let from = 0; from < tasks.length; from += ASK_MAX) {
    const ids = tasks.slice(from, from + ASK_MAX).map((task) => task.id);
    const { usages }: Answer = await client.call('berth', 'TaskUsage', { tasks: ids });
    for (const { taskId, stats } of usages) look.set(taskId, stats);
  }
  return look;
}

export function usageRows(tasks: TaskRow[], now: Look, before: Look): UsageRow[] {
  return tasks.flatMap((task) => {
    const usage = now.get(task.id);
    if (usage === undefined) return [];
    const former = before.get(task.id);
    const ms = former === undefined ? 0 : usage.readAtMs - former.readAtMs;
    const rate = (value: number | undefined, old: number | undefined) =>
      value === undefined || old === undefined || ms <= 0 ? null : Math.max(0, ((value - old) * 1000) / ms);
    return usage.containers.map((one, index) => {
      const old = former?.containers.find((container) => container.name === one.name);
      const cpuNs = rate(one.cpuNs, old?.cpuNs);
      const network = index === 0 ? usage.network : null;
      return {
        task,
        container: one.name,
        cpuPercent: cpuNs === null ? null : cpuNs / 1e7,
        memoryBytes: one.memoryBytes,
        memoryLimitBytes: one.memoryLimitBytes,
        pids: one.pids,
        rx: rate(network?.rxBytes, former?.network?.rxBytes),
        tx: rate(network?.txBytes, former?.network?.txBytes),
        diskBytes: index === 0 ? (usage.disk?.usedBytes ?? null) : null,
        diskLimitBytes: index === 0 ? (usage.disk?.sizeBytes ?? null) : null,
      };
    });
  });
}
