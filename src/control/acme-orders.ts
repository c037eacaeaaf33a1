/** ACME orders under way: beside the loop, which must not wait for them; a few at once, and after a failure ever more rarely. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { AcmeIssuer, Leaf } from '#certificates/index.ts';

type State = { wish: string; failures: number } & (
  { at: 'running' } | { at: 'done'; leaf: Leaf } | { at: 'failed'; reason: string; again: number }
);

export type AcmeOrders = {
  /** The certificate once it is there; the reason of the last failure; null while it goes on. Begins an order where none is. */
  ask(id: string, names: readonly string[], keyAlgorithm: string): Leaf | string | null;
  /** The answer was kept. */
  forget(id: string): void;
  keepOnly(ids: ReadonlySet<string>): void;
  /** Milliseconds until a failed order may be tried again, at most `most`. */
  nextIn(most: number): number;
};

/** `changed` is called when an order has ended. */
export function createAcmeOrders(deps: { clock: Clock; log: Log }, issuer: AcmeIssuer, changed: () => void): AcmeOrders {
  const { clock, log } = deps;
  const states = new Map<string, State>();

  const begin = (id: string, wish: string, failures: number, names: readonly string[], keyAlgorithm: string): void => {
    const state: State = { at: 'running', wish, failures };
    states.set(id, state);
    const end = (next: State) => {
      // Somebody deleted the certificate meanwhile, or wants another one.
      if (states.get(id) === state) states.set(id, next);
      changed();
    };
    issuer.order(names, keyAlgorithm).then(
      (leaf) => end({ at: 'done', wish, failures: 0, leaf }),
      (error: unknown) => {
        const reason = asFault(error).message.slice(0, limits.reasonChars);
        const wait = Math.min(limits.acmeRetryMaxMs, limits.acmeRetryMinMs * 2 ** Math.min(failures, 10));
        log.warn('acme-order-failed', { id, names: names.join(' '), reason, failures: failures + 1 });
        end({ at: 'failed', wish, failures: failures + 1, reason, again: clock.now() + wait });
      },
    );
  };

  return {
    ask(id, names, keyAlgorithm) {
      const wish = JSON.stringify([names, keyAlgorithm]);
      const found = states.get(id);
      const state = found?.wish === wish ? found : undefined;
      if (state?.at === 'running') return null;
      if (state?.at === 'done') return state.leaf;
      const running = [...states.values()].filter((one) => one.at === 'running').length;
      const due = state === undefined || state.again <= clock.now();
      if (due && running < limits.acmeOrders) begin(id, wish, state?.failures ?? 0, names, keyAlgorithm);
      return state?.reason ?? null;
    },
    forget: (id) => void states.delete(id),
    keepOnly(ids) {
      for (const id of states.keys()) if (!ids.has(id)) states.delete(id);
    },
    nextIn(most) {
      const waits = [...states.values()].flatMap((state) => (state.at === 'failed' ? [state.again - clock.now()] : []));
      return Math.max(1000, Math.min(most, ...waits));
    },
  };
}
