/** Looks at how much of the host's disk is free: the less, the more often, so that nobody can fill it between two looks. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { endsBelow } from './disk-pressure.ts';
import type { DiskPressure } from './disk-pressure.ts';

export type DiskWatch = { start(): void; stop(): void };

type DiskWatchDeps = { clock: Clock; log: Log; freeBytes(): Promise<number>; floorBytes(): number; pressure: DiskPressure };

/** How long nothing can happen: what is left above the last resort, at the rate of the fastest disk. Pure. */
export function nextLookMs(freeBytes: number, floorBytes: number): number {
  const left = freeBytes - endsBelow(floorBytes);
  const ms = (left / limits.diskFillBytesPerSecond) * 1000;
  return Math.round(Math.min(limits.diskLookMs, Math.max(limits.diskLookQuicklyMs, ms)));
}

export function createDiskWatch({ clock, log, freeBytes, floorBytes, pressure }: DiskWatchDeps): DiskWatch {
  let timer: Timer | undefined;
  let over = false;

  /** When to look again. */
  const look = async (): Promise<number> => {
    try {
      const free = await freeBytes();
      // Not waited for: while one task ends the disk is looked at all the same.
      pressure.look(free, floorBytes()).catch(complain);
      return nextLookMs(free, floorBytes());
    } catch (error) {
      complain(error);
      return limits.diskLookMs;
    }
  };
  const complain = (error: unknown) => log.warn('disk.pressure', { reason: asFault(error).message });

  const again = (ms: number) => {
    if (over) return;
    timer = clock.after(ms, () => void look().then(again));
  };

  return {
    start: () => again(0),
    stop() {
      over = true;
      timer?.cancel();
    },
  };
}
