/** Keeps the balancer's endpoints and the hosts' names as the tasks are. */
import type { Balancer } from '#balancer/types.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import { planEndpoints } from '#plan/endpoints.ts';
import type { Store } from '#store/types.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';

/** How often the balancer is told anew without any change: it may have been restarted. */
const TICK_MS = 10_000;

/** Needs no lease: it writes no row, and each control plane drives a balancer of its own. */
export function startEndpointLoop(
  deps: { store: Store; clock: Clock; log: Log; balancer: Balancer },
  setNames: (names: Record<string, string[]>) => void,
): Loop {
  const { store, clock, balancer } = deps;
  let applied: string | null = null;
  let appliedAt = 0;
  return startLoop(deps, {
    name: 'endpoints',
    tickMs: TICK_MS,
    async run() {
      const { endpoints, names } = planEndpoints(await store.read((tx) => tx.tasks.endpoints()));
      setNames(names);
      const wish = JSON.stringify(endpoints);
      if (wish === applied && clock.now() - appliedAt < TICK_MS) return;
      applied = null;
      await balancer.apply(endpoints);
      applied = wish;
      appliedAt = clock.now();
    },
  });
}
