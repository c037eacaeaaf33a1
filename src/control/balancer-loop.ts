/** Traffic: load balancers' addresses on the hosts, HAProxy as it is wished, names for the hosts' resolvers, and the targets' health back into the store. */
import { desiredTraffic } from '#balancer/desired.ts';
import { observedTarget, sameHealth } from '#balancer/health.ts';
import type { Balancer, BalancerSeen, TargetSeen, TrafficDesired } from '#balancer/types.ts';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { LoadBalancerRecord } from '#domain/load-balancer.ts';
import { hostOps } from '#link/operations.ts';
import { planEndpoints } from '#plan/endpoints.ts';
import { planHostNames } from '#plan/host-names.ts';
import type { Store } from '#store/types.ts';
import { addressesOf, readTraffic } from './balancer-snapshot.ts';
import type { TrafficSnapshot } from './balancer-snapshot.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { HostCalls } from './types.ts';

/** How often HAProxy is looked at: while a target waits for its first check or drains, while there are targets, and while there are none. */
const WATCH_TICK_MS = 50;
const TARGETS_TICK_MS = 1000;
const IDLE_TICK_MS = 10_000;
/** How old a reading of the store may be when no hint came. */
const READ_AGE_MS = 5000;

export type BalancerLoopDeps = { store: Store; clock: Clock; log: Log; balancer: Balancer; certificatesDir: string };
type Current = TrafficSnapshot & { wish: TrafficDesired; readAt: number };

export function startBalancerLoop(
  deps: BalancerLoopDeps,
  hosts: HostCalls,
  setNames: (names: Record<string, string[]>) => void,
  holder: string,
): Loop {
  const { store, clock, log, balancer } = deps;
  const lease = createLease(store, clock, 'balancer', holder);
  const told = new Map<string, { text: string; at: number }>();
  let current: Current | null = null;
  let stale = true;
  let tickMs = IDLE_TICK_MS;
  let applied: { text: string; at: number } | null = null;

  const read = async (): Promise<Current> => {
    stale = false;
    const snapshot = await store.read((tx) => readTraffic(tx));
    const { endpoints, names } = planEndpoints(snapshot.endpointTasks);
    const balancers = planHostNames(snapshot);
    setNames({ ...names, ...balancers.names });
    const taken = new Set(endpoints.map((endpoint) => endpoint.name));
    const aliases = balancers.aliases.filter((alias) => !taken.has(alias.name));
    return { ...snapshot, wish: desiredTraffic(snapshot, { endpoints, aliases }, deps.certificatesDir), readAt: clock.now() };
  };

  /** Every host has the addresses. Resolves with what went wrong, null for nothing. */
  const tellHosts = async (now: Current): Promise<string | null> => {
    const vpcs = addressesOf(now);
    const text = JSON.stringify(vpcs);
    const connected = hosts.connected();
    for (const hostId of told.keys()) if (!connected.includes(hostId)) told.delete(hostId);
    if (connected.length === 0) return vpcs.length === 0 ? null : 'no host is connected that could have its address';
    for (const hostId of connected) {
      const before = told.get(hostId);
      if (before?.text === text && clock.now() - before.at < limits.syncMs) continue;
      try {
        await hosts.request(hostId, hostOps.vpcAddresses, { vpcs } as unknown as Json, { timeoutMs: limits.vpcAddressesMs });
        told.set(hostId, { text, at: clock.now() });
      } catch (error) {
        told.delete(hostId);
        log.warn('balancer.addresses', { hostId, reason: asFault(error).message });
        return `host ${hostId}: ${asFault(error).message}`;
      }
    }
    return null;
  };

  const apply = async (now: Current): Promise<BalancerSeen> => {
    try {
      return await balancer.apply(now.wish);
    } catch (error) {
      await writeStates(now, asFault(error).message, []);
      throw error;
    }
  };

  /** Those that change only; a record that somebody changed meanwhile is looked at again the next time. */
  const writeHealth = async (now: Current, seen: readonly TargetSeen[]): Promise<void> => {
    const at = clock.now();
    const byTarget = new Map(seen.map((one) => [`${one.groupId} ${one.ip} ${one.port}`, one]));
    const groups = new Map(now.groups.map((group) => [group.desired.id, group]));
    const changes = now.targets.flatMap((target) => {
      const group = groups.get(target.key.group);
      if (group === undefined) return [];
      const observed = observedTarget(target, group, byTarget.get(`${target.key.group} ${target.key.target} ${target.key.port}`), at);
      return sameHealth(observed, target.observed) ? [] : [{ target, observed }];
    });
    for (let from = 0; from < changes.length; from += limits.targetWrites) {
      await lease.write(async (tx) => {
        for (const { target, observed } of changes.slice(from, from + limits.targetWrites)) {
          const found = await tx.targets.get(target.key);
          if (found?.revision !== target.revision) continue;
          await tx.targets.setObserved(target.key, observed, target.revision);
        }
      });
    }
    if (changes.length > 0) stale = true;
    for (const { target, observed } of changes) {
      log.debug('balancer.target', { group: target.key.group, target: target.key.target, state: observed.state, reason: observed.reason });
    }
  };

  const writeStates = async (now: Current, problem: string | null, missing: readonly string[]): Promise<void> => {
    const changes = now.loadBalancers.filter((lb) => {
      const next = stateOf(lb, now, problem, missing);
      return next.state !== lb.observed.state || next.reason !== lb.observed.reason;
    });
    if (changes.length === 0) return;
    stale = true;
    await lease.write(async (tx) => {
      for (const lb of changes) {
        const found = await tx.loadBalancers.get(lb.key);
        if (found?.revision !== lb.revision) continue;
        await tx.loadBalancers.setObserved(lb.key, { ...found.observed, ...stateOf(lb, now, problem, missing) }, lb.revision);
      }
    });
  };

  const loop = startLoop(deps, {
    name: 'balancer',
    tickMs: () => (stale || applied === null ? 0 : Math.max(0, applied.at + tickMs - clock.now())),
    async run() {
      if (current === null || stale || clock.now() - current.readAt >= READ_AGE_MS) {
        // Not kept when it fails: what was not applied is read again.
        current = null;
        current = await read();
      }
      const now = current;
      const text = JSON.stringify([now.wish, addressesOf(now)]);
      // Most changes of tasks have nothing to do with traffic.
      if (applied?.text === text && clock.now() < applied.at + tickMs) return;
      applied = null;
      const problem = await tellHosts(now);
      const begun = clock.now();
      const { targets, missing, leaving } = await apply(now);
      const tookMs = clock.now() - begun;
      applied = { text, at: clock.now() };
      await writeHealth(now, targets);
      await writeStates(now, problem, missing);
      tickMs = tickOf(now, { targets, leaving }, problem, tookMs);
    },
  });
  balancer.onRestart(() => {
    applied = null;
    loop.look();
  });
  return {
    look() {
      stale = true;
      loop.look();
    },
    stop: () => loop.stop(),
  };
}

/** With many targets a look takes its time: it shall be a small part of all time. */
function tickOf(now: Current, seen: Omit<BalancerSeen, 'missing'>, problem: string | null, tookMs: number): number {
  const { targets, leaving } = seen;
  const moving = targets.some(
    (one) => (one.status === 'absent' && !drained(now, one)) || one.status === 'draining' || (one.status === 'down' && !one.wasUp),
  );
  if (moving || leaving > 0) return Math.max(WATCH_TICK_MS, 4 * tookMs);
  return targets.length > 0 || problem !== null ? Math.max(TARGETS_TICK_MS, Math.min(IDLE_TICK_MS, 100 * tookMs)) : IDLE_TICK_MS;
}

/** Whoever deregistered it has still to take its row away. */
const drained = (now: Current, { groupId, ip, port }: TargetSeen): boolean =>
  now.targets.some(
    ({ key, desired }) => key.group === groupId && key.target === ip && key.port === port && desired.deregisteredAt !== null,
  );

/** One that served goes on as active while something is wrong, and says what. */
function stateOf(
  lb: LoadBalancerRecord,
  now: Current,
  problem: string | null,
  missing: readonly string[],
): { state: LoadBalancerRecord['observed']['state']; reason: string | null } {
  const { ip, state } = lb.observed;
  if (ip === null) return { state: 'provisioning', reason: 'it waits for a free address in its subnets' };
  if (problem !== null) return { state: state === 'active' ? 'active' : 'failed', reason: problem };
  const ports = now.wish.listeners
    .filter((listener) => listener.address === ip && listener.tls?.certificates.some((path) => missing.includes(path)) === true)
    .map((listener) => listener.port);
  return {
    state: 'active',
    reason: ports.length === 0 ? null : `no certificate is there yet for the listener on port ${ports.join(', ')}`,
  };
}
