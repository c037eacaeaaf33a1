/** A level-triggered loop: looks when told to, and now and again by itself; never twice at once, and after a failure it tries again. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';

/** Is told that a loop of this name has something to look at; what it gives, that it has, and whether well. */
export type LoopWatch = (loop: string) => (well: boolean) => void;

export type Loop = {
  /** A hint that there may be something to do; as many as one likes. */
  look(): void;
  /** Ends after the run that is under way. */
  stop(): Promise<void>;
};

/** Starts looping at once. `run` must be able to begin from whatever state it finds. */
export function startLoop(
  deps: { clock: Clock; log: Log; watchLoop?: LoopWatch },
  options: { name: string; tickMs: number | (() => number); run(): Promise<void> },
): Loop {
  const { clock, log } = deps;
  let running: Promise<void> | null = null;
  let again = true;
  let stopped = false;
  let failures = 0;
  let timer: Timer | null = null;
  let looked: ((well: boolean) => void) | undefined;

  const wait = (delayMs: number) => {
    timer?.cancel();
    timer = stopped ? null : clock.after(delayMs, kick);
  };
  const succeeds = async (): Promise<boolean> => {
    try {
      await options.run();
      return true;
    } catch (error) {
      const fault = asFault(error);
      log.warn('loop-failed', { loop: options.name, code: fault.code, message: fault.message, failures: failures + 1 });
      return false;
    }
  };
  const rounds = async () => {
    let well = true;
    while (again && well && !stopped) {
      again = false;
      const done = looked;
      looked = undefined;
      well = await succeeds();
      done?.(well);
    }
    failures = well ? 0 : failures + 1;
    running = null;
    const tickMs = typeof options.tickMs === 'number' ? options.tickMs : options.tickMs();
    wait(well ? tickMs : Math.min(limits.loopRetryMaxMs, limits.loopRetryMinMs * 2 ** Math.min(failures - 1, 10)));
  };
  const kick = () => {
    again = true;
    looked ??= deps.watchLoop?.(options.name);
    if (running !== null || stopped) return;
    timer?.cancel();
    running = rounds();
  };
  kick();
  return {
    look() {
      again = true;
      // After a failure the timer decides: hints must not turn a full disk into a busy loop.
      if (failures === 0) kick();
    },
    async stop() {
      stopped = true;
      timer?.cancel();
      await running;
    },
  };
}
