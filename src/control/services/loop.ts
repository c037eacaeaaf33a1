/**
 * Keeps services as they are wished for: looks at the short of all of them, plans those that changed or whose time has come, and carries each
 * plan out in the transaction that its snapshot was read in. A service with nothing to do costs a comparison, and is never written.
 */
import type { Clock } from '#base/clock.ts';
import { asFault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { servedZones } from '#domain/capacity.ts';
import type { ServiceKey } from '#domain/service.ts';
import { planService } from '#plan/service/index.ts';
import type { ServicePlan, ServiceSnapshot } from '#plan/service/types.ts';
import type { ReadTx, ServiceStamp, Store } from '#store/types.ts';
import { createLease } from '../lease.ts';
import { startLoop } from '../loop.ts';
import type { Loop } from '../loop.ts';
import type { HostCalls } from '../types.ts';
import { carryOut, goneTaskSets, isEmpty } from './carry-out.ts';
import { lastLinesFor } from './last-lines.ts';
import { pendingShifts } from './shifts.ts';
import { readSnapshot } from './snapshot.ts';
import type { TaskMemo } from './snapshot.ts';
import { readRoom } from './start-tasks.ts';
import type { Room } from './start-tasks.ts';

/** How often it looks although nothing was said to have changed. */
const TICK_MS = 15_000;

export type ServiceLoopDeps = { store: Store; clock: Clock; random: Random; log: Log; hosts: HostCalls };

/** What is remembered of a service from one look to the next; losing it costs a plan. */
type Known = {
  key: ServiceKey;
  /** As it was when its plan came out empty; null: not at rest. */
  stamp: string | null;
  /** When it is planned although its stamp is the same. */
  wakeAt: number;
  /** Until then it isn't planned, whatever changes: after a failure, and when its plans never come to rest. */
  restsUntil: number;
  /** Plans in a row that were not empty, and the failures in a row. */
  busy: number;
  failures: number;
  memo: TaskMemo;
};

/** `lookAnew`: what a service's stamp doesn't tell has changed, as the state of an alarm. */
export type ServiceLoop = Loop & { lookAnew(): void };

/** While `paused` nothing is planned: the platform goes down, and what is stopped for that is not replaced. */
export function startServiceLoop(deps: ServiceLoopDeps, holder: string, paused: () => boolean): ServiceLoop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'services', holder);
  const known = new Map<string, Known>();

  const isDue = (service: Known, stamp: string, now: number) =>
    service.restsUntil <= now && (service.stamp !== stamp || service.wakeAt <= now);

  /** What there is to do for a service; null when nothing is, which is remembered. */
  const lookAt = async (service: Known, stamp: string): Promise<{ snapshot: ServiceSnapshot; plan: ServicePlan } | null> => {
    const now = clock.now();
    return await store.read(async (tx) => {
      const snapshot = await readSnapshot(tx, service.key, service.memo, now);
      if (snapshot === undefined) return null;
      const plan = planService(snapshot);
      if (!isEmpty(plan) || goneTaskSets(snapshot).length > 0 || (await pendingShifts(tx, snapshot.service, plan.shifts, now)).length > 0)
        return { snapshot, plan };
      rest(service, stamp, plan.wakeAt, now);
      return null;
    });
  };

  const step = async (service: Known, stamp: string, room: SharedRoom): Promise<void> => {
    const found = await lookAt(service, stamp);
    service.failures = 0;
    if (found === null) return;
    const lastLines = await lastLinesFor(deps, found.snapshot, found.plan);
    service.stamp = null;
    const done = await lease.write(async (tx) => {
      const now = clock.now();
      const snapshot = await readSnapshot(tx, service.key, service.memo, now);
      if (snapshot === undefined) return null;
      const plan = planService(snapshot);
      return await carryOut(tx, { random: deps.random, now, room: () => room.read(tx, now), lastLines }, snapshot, plan);
    });
    const now = clock.now();
    if (done?.waits === true) service.restsUntil = now + limits.serviceRoomRetryMs;
    else if (++service.busy >= limits.servicePlansInARow) {
      log.warn('service-restless', { service: service.key.name, cluster: service.key.cluster });
      service.restsUntil = now + limits.serviceRestMs;
      service.busy = 0;
    }
    if (done !== null && done.started + done.stopped > 0) {
      log.info('service', { service: service.key.name, cluster: service.key.cluster, started: done.started, stopped: done.stopped });
    }
  };

  /** One service's trouble is not another's; only a lease that somebody else holds stops all. */
  const attempt = async (service: Known, stamp: string, room: SharedRoom): Promise<void> => {
    try {
      await step(service, stamp, room);
    } catch (error) {
      service.stamp = null;
      // What it read may never have been committed.
      service.memo.clear();
      if (isFault(error, 'Unavailable')) throw error;
      const fault = asFault(error);
      service.restsUntil = clock.now() + Math.min(limits.loopRetryMaxMs, limits.loopRetryMinMs * 2 ** Math.min(service.failures++, 10));
      log.warn('service-failed', { service: service.key.name, cluster: service.key.cluster, code: fault.code, message: fault.message });
    }
  };

  const loop = startLoop(deps, {
    name: 'services',
    tickMs: () => (paused() ? TICK_MS : untilNext(known.values(), clock.now())),
    async run() {
      if (paused()) return;
      const [stamps, zones] = await store.read(async (tx) => [await tx.serviceStamps(), servedZones(await tx.hosts.list({}))] as const);
      // With a host in another zone tasks may be spread anew.
      for (const one of stamps) one.stamp += zones;
      const due = remember(known, stamps).filter(({ service, stamp }) => isDue(service, stamp, clock.now()));
      for (let from = 0; from < due.length; from += limits.servicePlansInFlight) {
        const room = shareRoom();
        const chunk = due.slice(from, from + limits.servicePlansInFlight);
        const ends = await Promise.allSettled(chunk.map(({ service, stamp }) => attempt(service, stamp, room)));
        const broken = ends.find((end) => end.status === 'rejected');
        if (broken !== undefined) throw broken.reason;
      }
      // What was carried out may call for more, and so may a plan whose only effect was an event.
      if (due.some(({ service }) => service.stamp === null && service.restsUntil <= clock.now())) loop.look();
    },
  });
  return {
    ...loop,
    lookAnew() {
      for (const service of known.values()) service.stamp = null;
      loop.look();
    },
  };
}

function rest(service: Known, stamp: string, wakeAt: number | null, now: number): void {
  service.stamp = stamp;
  service.busy = 0;
  const soonest = now + limits.loopRetryMinMs;
  service.wakeAt = Math.min(now + limits.serviceReplanMs, Math.max(soonest, wakeAt ?? Infinity));
}

/** The services that there are, each with what is known of it; the others are forgotten. */
function remember(known: Map<string, Known>, stamps: readonly ServiceStamp[]): { service: Known; stamp: string }[] {
  const present = new Set<string>();
  const result = stamps.map(({ key, stamp }) => {
    const name = [key.account, key.region, key.cluster, key.name].join('/');
    present.add(name);
    const service = known.get(name) ?? { key, stamp: null, wakeAt: 0, restsUntil: 0, busy: 0, failures: 0, memo: new Map() };
    known.set(name, service);
    return { service, stamp };
  });
  for (const name of known.keys()) if (!present.has(name)) known.delete(name);
  return result;
}

function untilNext(services: Iterable<Known>, now: number): number {
  let next = now + TICK_MS;
  for (const { stamp, wakeAt, restsUntil } of services) next = Math.min(next, stamp === null ? restsUntil : Math.max(wakeAt, restsUntil));
  return Math.max(limits.loopRetryMinMs, next - now);
}

/** The rooms of all hosts, read once for the services that are planned together. */
type SharedRoom = { read(tx: ReadTx, now: number): Promise<Room> };

function shareRoom(): SharedRoom {
  let room: Room | null = null;
  return { read: async (tx, now) => (room ??= await readRoom(tx, now)) };
}
