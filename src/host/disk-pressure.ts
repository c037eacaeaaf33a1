/**
 * Disks of tasks are sparse, and together may be larger than the host's. Before that is full, which would cost every task what it just
 * wrote, the task ends that has written most: one at a time, until there is room again.
 */
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Runner } from './runner.ts';

const MIB = 1024 ** 2;
/** Placement has stopped at the floor; at this part of it tasks end. */
const LAST_RESORT = 0.5;

export type DiskPressure = {
  /** Resolves once it was looked whether a task has to end, and which. */
  look(freeBytes: number, floorBytes: number): Promise<void>;
};

export function createDiskPressure(deps: { tasks(): Iterable<Runner>; log: Log }): DiskPressure {
  let ending: Runner | undefined;
  let looking = false;

  const largest = async (): Promise<{ runner: Runner; usedBytes: number } | undefined> => {
    const running = [...deps.tasks()].filter((runner) => runner.entry.report.status === 'RUNNING');
    const all = await Promise.all(
      running.map(async (runner) => {
        try {
          return { runner, usedBytes: (await runner.stats()).disk?.usedBytes ?? 0 };
        } catch (error) {
          deps.log.debug('disk.pressure', { taskId: runner.taskId, reason: asFault(error).message }); // it ends by itself, or can't be asked now
          return { runner, usedBytes: 0 };
        }
      }),
    );
    return all.filter(({ usedBytes }) => usedBytes > 0).sort((a, b) => b.usedBytes - a.usedBytes)[0];
  };

  return {
    async look(freeBytes, floorBytes) {
      if (freeBytes >= floorBytes * LAST_RESORT || looking || ending !== undefined) return;
      looking = true;
      const found = await largest().finally(() => (looking = false));
      if (found === undefined) return;
      const { runner, usedBytes } = found;
      const mib = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;
      deps.log.warn('disk.full', { taskId: runner.taskId, usedBytes, freeBytes });
      ending = runner;
      void runner.done.catch(() => {}).then(() => (ending = undefined));
      runner.evict(`The host's disk is nearly full (${mib(freeBytes)} left), and this task uses most of it: ${mib(usedBytes)}.`);
    },
  };
}
