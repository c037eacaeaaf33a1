/** Work that several callers want at once is done once. It goes on while anybody still waits for it. */
import { Fault } from '#base/fault.ts';
import { cancelled } from './transport.ts';

export type Work<T, P> = (signal: AbortSignal, report: (progress: P) => void) => Promise<T>;
export type Waiter<P> = { signal?: AbortSignal | undefined; onProgress?: ((progress: P) => void) | undefined };

export type SharedWork<T, P> = {
  /**
   * Joins the work under `key` or starts it. A waiter whose signal fires leaves with Cancelled; the last to leave cancels the work.
   */
  run(key: string, waiter: Waiter<P>, work: Work<T, P>): Promise<T>;
  has(key: string): boolean;
};

type Job<T, P> = { result: Promise<T>; waiters: Set<Waiter<P>>; abort: AbortController };

export function createSharedWork<T, P>(): SharedWork<T, P> {
  const jobs = new Map<string, Job<T, P>>();

  function start(key: string, work: Work<T, P>): Job<T, P> {
    const abort = new AbortController();
    const waiters = new Set<Waiter<P>>();
    const report = (progress: P): void => waiters.forEach((w) => w.onProgress?.(progress));
    // A turn later, so that whoever starts it hears its first word too.
    const begin = async (): Promise<T> => {
      await Promise.resolve();
      return work(abort.signal, report);
    };
    const job: Job<T, P> = { waiters, abort, result: begin().finally(() => forget(key, job)) };
    // Whoever left does not hear of the failure any more.
    job.result.catch(() => undefined);
    jobs.set(key, job);
    return job;
  }
  const forget = (key: string, job: Job<T, P>): void => {
    if (jobs.get(key) === job) jobs.delete(key);
  };

  return {
    has: (key) => jobs.has(key),
    run(key, waiter, work) {
      const { signal } = waiter;
      if (signal?.aborted === true) return Promise.reject(cancelled(signal));
      const job = jobs.get(key) ?? start(key, work);
      // One entry a call: the same waiter object may call twice.
      const entry = { ...waiter };
      job.waiters.add(entry);
      return new Promise<T>((resolve, reject) => {
        const leave = (): void => {
          job.waiters.delete(entry);
          signal?.removeEventListener('abort', onAbort);
        };
        const onAbort = (): void => {
          leave();
          if (job.waiters.size === 0) {
            forget(key, job);
            job.abort.abort(new Fault('Cancelled', 'nobody waits for it any more'));
          }
          reject(signal === undefined ? new Fault('Cancelled', 'cancelled') : cancelled(signal));
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        job.result.then(resolve, reject).finally(leave);
      });
    },
  };
}
