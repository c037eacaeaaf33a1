/** The control loops. All level-triggered: whatever state they find, they go on from there; losing every hint only costs time. */
import { startCertificatesLoop } from './certificates-loop.ts';
import { startAlarmsLoop } from './alarms-loop.ts';
import { createLease } from './lease.ts';
import { startBalancerLoop } from './balancer-loop.ts';
import { startDeliveriesLoop } from './events/deliveries-loop.ts';
import { startEventsLoop } from './events/loop.ts';
import { startSchedulesLoop } from './events/schedules-loop.ts';
import { startFileSystemsLoop } from './file-systems-loop.ts';
import { startHostSessions } from './host-sessions.ts';
import { startHousekeepingLoop } from './housekeeping-loop.ts';
import { startPlacementLoop } from './placement-loop.ts';
import { startRangesLoop } from './ranges-loop.ts';
import { startServiceLoop } from './services/loop.ts';
import { startTargetLoop } from './services/target-loop.ts';
import { startVaultLoop } from './vault-loop.ts';
import { startVolumesLoop } from './volumes-loop.ts';
import { startUsageLoop } from './usage-loop.ts';
import { startMetricsLoop } from './metrics/loop.ts';
import type { Control, ControlDeps, ControlOptions } from './types.ts';

export type { BucketCalls, Control, ControlDeps, ControlOptions, HostCalls, RegistryPulls } from './types.ts';
export { claimRange } from './ranges-loop.ts';
export type { EventSources } from './events/types.ts';

const leases = [
  'placement',
  'hosts',
  'housekeeping',
  'certificates',
  'services',
  'targets',
  'balancer',
  'volumes',
  'fileSystems',
  'alarms',
  'usage',
  'vault',
  'events',
  'deliveries',
  'schedules',
];

/** Starts all loops and lets hosts in. Throws the store's Fault when it can't be written. */
export async function startControl(deps: ControlDeps, options: ControlOptions): Promise<Control> {
  const { store, clock } = deps;
  if (options.soleOwner) {
    await store.write(async (tx) => {
      for (const name of leases) await tx.expireLease(name);
    });
  }
  const sessions = startHostSessions({ ...deps, lease: createLease(store, clock, 'hosts', options.holder) });
  let paused = false;
  const placement = startPlacementLoop(deps, options.holder, () => paused);
  const balancer = startBalancerLoop(deps, sessions.calls, (names) => sessions.setNames(names), options.holder);
  const services = startServiceLoop({ ...deps, hosts: sessions.calls }, options.holder, () => paused);
  const targets = startTargetLoop(deps, options.holder, () => paused);
  const housekeeping = startHousekeepingLoop(deps, options.holder);
  const usage = startUsageLoop(deps, options.holder);
  const volumes = startVolumesLoop({ ...deps, hosts: sessions.calls }, options.holder);
  const fileSystems = startFileSystemsLoop(deps, sessions.calls, options.holder);
  const ranges = startRangesLoop(deps, sessions.calls);
  const metrics = deps.metrics === undefined ? null : startMetricsLoop({ ...deps, hosts: sessions.calls, metrics: deps.metrics });
  const alarms = deps.metrics === undefined ? null : startAlarmsLoop({ ...deps, metrics: deps.metrics }, options.holder);
  const vault = deps.vault === undefined ? null : startVaultLoop({ ...deps, vault: deps.vault }, options.holder);
  const { events: sources } = deps;
  const events = sources === undefined ? null : startEventsLoop({ ...deps, sources }, options.holder);
  const deliveries = sources === undefined ? null : startDeliveriesLoop({ ...deps, sources }, options.holder);
  const schedules = sources === undefined ? null : startSchedulesLoop(deps, options.holder);
  const certificates =
    deps.certificates === undefined ? null : startCertificatesLoop({ ...deps, sources: deps.certificates }, options.holder);
  const unwatch = [
    store.onChange(['certificates'], () => certificates?.look()),
    store.onChange(['tasks', 'hosts', 'subnets', 'loadBalancers'], () => placement.look()),
    store.onChange(['tasks', 'hosts', 'loadBalancers', 'listeners', 'listenerRules', 'targetGroups', 'targets', 'certificates'], () =>
      balancer.look(),
    ),
    store.onChange(['tasks', 'targets'], () => {
      sessions.look();
    }),
    store.onChange(['services', 'serviceDeployments', 'taskSets', 'tasks', 'targets'], () => services.look()),
    store.onChange(['tasks', 'targets', 'targetGroups'], () => targets.look()),
    store.onChange(['volumes', 'snapshots', 'tasks', 'hosts'], () => volumes.look()),
    store.onChange(['fileSystemDeletions'], () => fileSystems.look()),
    store.onChange(['alarms'], () => {
      alarms?.look();
      services.lookAnew();
    }),
    store.onChange(['changes'], () => events?.look()),
    store.onChange(['eventDeliveries'], () => deliveries?.look()),
    store.onChange(['eventRules', 'schedules'], () => schedules?.look()),
    store.onChange(['serviceRevisions'], () => targets.forget()),
  ];
  return {
    hosts: sessions.calls,
    rewrap: () => vault?.look(),
    pausePlacement() {
      paused = true;
      targets.look();
    },
    async stop() {
      for (const stop of unwatch) stop();
      const parts = [
        placement,
        balancer,
        services,
        targets,
        housekeeping,
        usage,
        volumes,
        ranges,
        fileSystems,
        metrics,
        alarms,
        vault,
        certificates,
        events,
        deliveries,
        schedules,
        sessions,
      ];
      await Promise.all(parts.map((part) => part?.stop()));
    },
  };
}
