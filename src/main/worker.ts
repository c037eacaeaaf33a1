/** The kernel worker (`berth-supervisor serve`) as a child of the host agent: started again when it ends, unless we end it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';

const RESTART_MS = 200;

export type WorkerProcess = { stop(): Promise<void> };

/** Requests that it had are told Unavailable by its client; the tasks' supervisors go on without it. */
export function startWorker(options: { supervisor: string; socket: string }, clock: Clock, log: Log): WorkerProcess {
  let stopping = false;
  let child: ChildProcess;
  let ended: Promise<void>;
  const start = (): void => {
    child = spawn(options.supervisor, ['serve', '--socket', options.socket], { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (error) => log.error('worker.start', { supervisor: options.supervisor }, error));
    ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve();
        if (stopping) return;
        log.error('worker.ended', { code, signal });
        // A worker that can't even start must not keep the machine busy.
        clock.after(RESTART_MS, () => {
          if (!stopping) start();
        });
      });
    });
  };
  start();
  return {
    async stop() {
      stopping = true;
      child.kill('SIGTERM');
      await ended;
    },
  };
}
