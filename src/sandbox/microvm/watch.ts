/** A guest's supervisor that doesn't answer for long is hung, and its machine with it: it is ended, and the task is told why. */
import type { Timer } from '#base/clock.ts';
import { asFault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Session } from '#supervisor/session.ts';
import type { MachinePaths } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import { connectQmp } from './qmp.ts';
import type { QmpArguments } from './qmp.ts';

const DISK_FULL = "the host's disk is full, and the task's virtual machine could not go on writing to its own";

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
  let full = false;

  /** The machine's end ends the session, which tells the task. */
  const end = (silentMs: number): void => {
    verdict = full ? DISK_FULL : `the supervisor in the task's virtual machine has not answered for ${Math.round(silentMs / 1000)} s`;
    log.warn('microvm.hung', { taskId, vmId: paths.vmId, silentMs });
    machines.end(paths).catch((error: unknown) => log.error('microvm.kill', { vmId: paths.vmId }, error));
  };

  /** QEMU stops a machine whose disk can't be written on the host; it goes on once there is room again. */
  const goOnIfStopped = async (): Promise<void> => {
    try {
      const monitor = await connectQmp(clock, paths.qmp);
      try {
        const { status } = (await monitor.run('query-status')) as QmpArguments;
        full = status === 'io-error';
        if (!full) return;
        log.warn('microvm.disk-full', { taskId, vmId: paths.vmId });
        await monitor.run('cont');
      } finally {
        monitor.close();
      }
    } catch (error) {
      log.debug('microvm.monitor', { taskId, reason: asFault(error).message });
    }
  };

  const look = async (session: Session): Promise<void> => {
    const asked = clock.now();
    try {
      await session.stats();
      silentSince = undefined;
      full = false;
    } catch (error) {
      if (!running || !isFault(error, 'TimedOut')) return; // it is gone, which is told otherwise
      silentSince ??= asked;
      await goOnIfStopped();
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
