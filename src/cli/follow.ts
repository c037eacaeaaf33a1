/** What a follow does while the control plane is away: its keeper starts it again, and what came meanwhile is told then. */
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Context } from './command.ts';

const AGAIN_MS = 250;

/** Tries calls again for a minute while berth doesn't answer, and says so once each time. The calls must be such as may be made twice. */
export function createPatience({ clock, signal, terminal }: Pick<Context, 'clock' | 'signal' | 'terminal'>): <T>(call: () => Promise<T>) => Promise<T> {
  let since: number | undefined;
  return async (call) => {
    for (;;) {
      try {
        const answer = await call();
        since = undefined;
        return answer;
      } catch (error) {
        if (!isFault(error, 'Unavailable') || signal.aborted) throw error;
        if (since === undefined) terminal.note("berth doesn't answer: waiting for it to come back");
        since ??= clock.now();
        if (clock.now() - since > limits.followPatienceMs) throw error;
        await clock.sleep(AGAIN_MS);
      }
    }
  };
} // prettier-ignore
