/**
 * Disks of tasks are sparse, and together may be larger than the host's. Before that is full, which would cost every task what it just
 * wrote, the task ends that has written most: one at a time, until there is room again.
 */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Runner } from './runner.ts';

const MIB = 1024 ** 2;
/** Placement has stopped at the floor; at this part of it tasks end. */
const LAST_RESORT = 0.5;

/** With less free, tasks end. */
export const endsBelow = (floorBytes: number) => floorBytes * LAST_RESORT;

export type DiskPressure = {
  /** Resolves once it was looked whether a task has to end, and which. */
  look(freeBytes: number, floorBytes: number): Promise<void>;
};

export function createDiskPressure(deps: { tasks(): Iterable<Runner>; clock: Clock; log: Log }): DiskPressure {
  const { clock } = deps;
  let ending: Runner | undefined;
  let looking = false;
  /** Least that was free while the last one ended, and when its room has to be back. */
  let awaited = { freeBytes: 0, untilMs: 0 };

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
    // The end of one that wrote next to nothing would give no room.
    return all.filter(({ usedBytes }) => usedBytes >= MIB).sort((a, b) => b.usedBytes - a.usedBytes)[0];
  };

  return {
    async look(freeBytes, floorBytes) {
      if (freeBytes >= endsBelow(floorBytes) || looking) return;
      if (ending !== undefined) return void (awaited.freeBytes = Math.min(awaited.freeBytes, freeBytes));
      // The room of one that has ended comes back a moment later: the next one has to go only if there is ever less.
      if (clock.now() < awaited.untilMs && freeBytes >= awaited.freeBytes) return;
      looking = true;
      const found = await largest().finally(() => (looking = false));
      if (found === undefined) return;
      const { runner, usedBytes } = found;
      const mib = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;
      deps.log.warn('disk.full', { taskId: runner.taskId, usedBytes, freeBytes });
      ending = runner;
      awaited = { freeBytes, untilMs: 0 };
      void runner.done
        .catch(() => {})
        .then(() => {
          ending = undefined;
          awaited.untilMs = clock.now() + limits.diskRoomMs;
        });
      runner.evict(`The host's disk is nearly full (${mib(freeBytes)} left), and this task uses most of it: ${mib(usedBytes)}.`);
    },
  };
}
