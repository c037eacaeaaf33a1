/** The life of a long-running process: start, until a signal, then an orderly end within its time. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';

const STOP_WITHIN_MS = 8000;

/** The argument that makes a program load its modules and end. */
export const LOAD_ONLY = '--load-only';

/** `start` resolves with the way to stop. Exits 1 when it throws; the keeper then tries again. */
export async function runService(log: Log, clock: Clock, start: () => Promise<() => Promise<void>>): Promise<void> {
  let stopping = false;
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopped.resolve(signal));
  process.on('unhandledRejection', (error) => {
    log.error('unhandled-rejection', {}, error);
    process.exit(1);
  });
  process.on('uncaughtException', (error) => {
    log.error('uncaught-exception', {}, error);
    process.exit(1);
  });
  try {
    const stop = await start();
    const signal = await stopped.promise;
    stopping = true;
    log.info('stopping', { signal });
    clock.after(STOP_WITHIN_MS, () => {
      log.error('stop-timed-out');
      process.exit(1);
    });
    await stop();
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    log.error(stopping ? 'stop-failed' : 'start-failed', { reason: asFault(error).message }, error);
    process.exit(1);
  }
}

export function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new Fault('Internal', `${name} is not set: this program is started by 'berth up'`);
  return value;
}
