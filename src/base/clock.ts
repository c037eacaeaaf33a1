/** Time as an argument, so that a whole cluster can be simulated from a seed. */

export type Timer = { cancel(): void };

export type Clock = {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Calls `fn` once after `delayMs`. */
  after(delayMs: number, fn: () => void): Timer;
  sleep(delayMs: number): Promise<void>;
};

export function realClock(): Clock {
  return {
    now: () => Date.now(),
    after(delayMs, fn) {
      const handle = setTimeout(fn, delayMs);
      return { cancel: () => clearTimeout(handle) };
    },
    sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  };
}

export type VirtualClock = Clock & {
  /** Runs everything that is due up to `now() + ms`, in order of time, then of registration; lets promises settle after each. */
  advance(ms: number): Promise<void>;
  /** Milliseconds until the next timer, or undefined when nothing waits. */
  nextIn(): number | undefined;
};

export function virtualClock(startMs = 1_700_000_000_000): VirtualClock {
  let now = startMs;
  let serial = 0;
  const waiting: { at: number; serial: number; fn: () => void }[] = [];
  const earliest = () =>
    waiting.reduce<(typeof waiting)[number] | undefined>(
      (best, t) => (best === undefined || t.at < best.at || (t.at === best.at && t.serial < best.serial) ? t : best),
      undefined,
    );
  const clock: VirtualClock = {
    now: () => now,
    after(delayMs, fn) {
      const timer = { at: now + Math.max(0, delayMs), serial: serial++, fn };
      waiting.push(timer);
      return {
        cancel: () => {
          const index = waiting.indexOf(timer);
          if (index >= 0) waiting.splice(index, 1);
        },
      };
    },
    sleep: (delayMs) => new Promise((resolve) => void clock.after(delayMs, resolve)),
    nextIn() {
      const next = earliest();
      return next === undefined ? undefined : Math.max(0, next.at - now);
    },
    async advance(ms) {
      const end = now + ms;
      await settle();
      for (let next = earliest(); next !== undefined && next.at <= end; next = earliest()) {
        waiting.splice(waiting.indexOf(next), 1);
        now = Math.max(now, next.at);
        next.fn();
        await settle();
      }
      now = end;
    },
  };
  return clock;
}

/** Lets every promise and immediate that is ready run. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => setImmediate(resolve));
}
