/** A bucket of bytes that fills up again with time. */
import type { Clock } from '#base/clock.ts';

export type Meter = {
  /** Takes so many bytes; gives the milliseconds that nothing more should be taken for (0: go on). */
  take(bytes: number): number;
};

export function createMeter(clock: Clock, bounds: { bytesPerSecond: number; burstBytes: number }): Meter {
  let left = bounds.burstBytes;
  let at = clock.now();
  return {
    take(bytes) {
      const now = clock.now();
      left = Math.min(bounds.burstBytes, left + (Math.max(0, now - at) * bounds.bytesPerSecond) / 1000);
      at = now;
      left -= bytes;
      return left >= 0 ? 0 : Math.ceil((-left * 1000) / bounds.bytesPerSecond);
    },
  };
}
