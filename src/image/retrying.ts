/** How often a registry is asked again, by what went wrong: a person waits for the end of it. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { cancelled } from './transport.ts';

/** Retries by `details.kind`; kinds that are not here are never tried again. */
const retriesByKind: Record<string, number> = {
  refused: 1,
  'unknown-host': 1,
  unreachable: 1,
  timeout: 1,
  'not-found': 1,
  cut: limits.registryRetries,
  server: limits.registryRetries,
  rate: limits.registryRetries,
};
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 4000;

export function kindOf(error: unknown): string {
  const kind = error instanceof Fault ? error.details['kind'] : undefined;
  return typeof kind === 'string' ? kind : '';
}

/** What the registry asked us to wait (`details.retryAfterMs`), else exponential. */
export function waitBefore(retry: number, error: Fault): number {
  const asked = error.details['retryAfterMs'];
  return typeof asked === 'number' ? asked : Math.min(FIRST_WAIT_MS * 2 ** (retry - 1), LONGEST_WAIT_MS);
}

export function mayRetry(error: Fault, retries: number): boolean {
  return retries < (retriesByKind[kindOf(error)] ?? 0);
}

/**
 * Runs `attempt` until it works, its kind of failure has had its retries, or `budgetMs` would be passed; the Fault then carries
 * `details.retries`. The signal given to `attempt` ends with the budget or with `signal`.
 */
export async function retrying<T>(
  clock: Clock,
  options: { budgetMs: number; signal: AbortSignal },
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const budget = new AbortController();
  const endsAt = clock.now() + options.budgetMs;
  const outOfTime = new Fault('TimedOut', `no answer within ${options.budgetMs / 1000} s`, { details: { kind: 'timeout' } });
  const timer = clock.after(options.budgetMs, () => budget.abort(outOfTime));
  const signal = AbortSignal.any([budget.signal, options.signal]);
  try {
    for (let retries = 0; ; retries++) {
      if (options.signal.aborted) throw cancelled(options.signal);
      try {
        return await attempt(signal);
      } catch (error) {
        if (options.signal.aborted) throw cancelled(options.signal);
        const fault = asFault(error, 'Unavailable');
        const waitMs = waitBefore(retries + 1, fault);
        if (!mayRetry(fault, retries) || clock.now() + waitMs >= endsAt) {
          throw new Fault(fault.code, fault.message, { details: { ...fault.details, retries }, cause: fault });
        }
        await clock.sleep(waitMs);
      }
    }
  } finally {
    timer.cancel();
  }
}
