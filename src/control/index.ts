/** The control loops. All level-triggered: whatever state they find, they go on from there; losing every hint only costs time. */
import { startCertificatesLoop } from './certificates-loop.ts';
import { createLease } from './lease.ts';
import { startEndpointLoop } from './endpoint-loop.ts';
import { startHostSessions } from './host-sessions.ts';
import { startHousekeepingLoop } from './housekeeping-loop.ts';
import { startPlacementLoop } from './placement-loop.ts';
import type { Control, ControlDeps, ControlOptions } from './types.ts';

export type { Control, ControlDeps, ControlOptions, HostCalls } from './types.ts';

const leases = ['placement', 'hosts', 'housekeeping', 'certificates'];

/** Starts all loops and lets hosts in. Throws the store's Fault when it can't be written. */
export async function startControl(deps: ControlDeps, options: ControlOptions): Promise<Control> {
  const { store, clock } = deps;
  if (options.soleOwner) {
    await store.write(async (tx) => {
      for (const name of leases) await tx.expireLease(name);
    });
  }
  const sessions = startHostSessions({ ...deps, lease: createLease(store, clock, 'hosts', options.holder) });
  const placement = startPlacementLoop(deps, options.holder);
  const endpoints = startEndpointLoop(deps, (names) => sessions.setNames(names));
  const housekeeping = startHousekeepingLoop(deps, options.holder);
  const certificates =
    deps.certificates === undefined ? null : startCertificatesLoop({ ...deps, sources: deps.certificates }, options.holder);
  const unwatch = [
    store.onChange(['certificates'], () => certificates?.look()),
    store.onChange(['tasks', 'hosts', 'subnets'], () => placement.look()),
    store.onChange(['tasks', 'targets'], () => {
      sessions.look();
      endpoints.look();
    }),
  ];
  return {
    hosts: sessions.calls,
    async stop() {
      for (const stop of unwatch) stop();
      await Promise.all([placement.stop(), endpoints.stop(), housekeeping.stop(), certificates?.stop(), sessions.stop()]);
    },
  };
}
