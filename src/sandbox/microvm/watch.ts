/** A guest's supervisor that doesn't answer for long is hung, and its machine with it: it is ended, and the task is told why. */
import type { Timer } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Session } from '#supervisor/session.ts';
import type { MachinePaths } from './machine.ts';
import type { MicrovmParts } from './parts.ts';

export type Watch = {
  start(session: Session): void;
  stop(): void;
  /** Why the machine was ended, if this did it. */
  verdict(): string | undefined;
};

export function createWatch(parts: MicrovmParts, taskId: string, paths: MachinePaths): Watch {
  const { clock, log } = parts.deps;
  const { machines } = parts;
  const lookMs = parts.options.guestLookMs ?? limits.guestLookMs;
  const silenceMs = parts.options.guestSilenceMs ?? limits.guestSilenceMs;
  let timer: Timer | undefined;
  let silentSince: number | undefined;
  let verdict: string | undefined;
  let running = true;

  /** The machine's end ends the session, which tells the task. */
  const end = (silentMs: number): void => {
    verdict = `the supervisor in the task's virtual machine has not answered for ${Math.round(silentMs / 1000)} s`;
    log.warn('microvm.hung', { taskId, vmId: paths.vmId, silentMs });
    machines.end(paths).catch((error: unknown) => log.error('microvm.kill', { vmId: paths.vmId }, error));
  };

  const look = async (session: Session): Promise<void> => {
    const asked = clock.now();
    try {
      await session.stats();
      silentSince = undefined;
    } catch (error) {
      if (!running || !isFault(error, 'TimedOut')) return; // it is gone, which is told otherwise
      silentSince ??= asked;
      const silentMs = clock.now() - silentSince;
      if (silentMs >= silenceMs) return end(silentMs);
    }
    start(session);
  };
  const start = (session: Session): void => {
    if (running) timer = clock.after(lookMs, () => void look(session));
  };
  return {
    start,
    stop() {
      running = false;
      timer?.cancel();
    },
    verdict: () => verdict,
  };
}
