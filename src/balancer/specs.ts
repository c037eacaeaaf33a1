/** From what is wished, what is held and what is up to one configuration. Pure. */
import { dirname, join } from 'node:path';
import { limits } from '#base/limits.ts';
import type { BalancerOptions } from './balancer.ts';
import type { HeldSocket } from './holder.ts';
import { backendName, endpointServer, FRONT_FD } from './render.ts';
import type { HaproxySpec } from './render.ts';
import type { ListenerSpec } from './render-listener.ts';
import type { ServerSeen } from './servers.ts';
import { isUp, upTargets } from './servers.ts';
import type { ListenerDesired, TrafficDesired } from './types.ts';

/** Gives the configuration for the servers that are seen. Parts are in order of their names, so that equal wishes make equal texts. */
export function createSpecs(
  options: BalancerOptions,
  traffic: TrafficDesired,
  files: ReadonlyMap<string, string>,
  held: readonly HeldSocket[],
): (seen: readonly ServerSeen[]) => HaproxySpec {
  const listeners = withNumbers(options, traffic.listeners, held);
  return (seen) => ({
    listen: options.listen,
    port: options.port,
    statsSocket: options.statsSocket,
    activatorSocket: options.activatorSocket,
    accessSocket: options.accessSocket,
    acmeDomain: options.acmeDomain ?? null,
    maxFiles: limits.balancerFiles,
    threads: options.threads,
    stamp: [...files]
      .map((pair) => pair.join(' '))
      .toSorted()
      .join('\n'),
    endpoints: traffic.endpoints.toSorted(byKey((e) => e.name)).map((endpoint) => {
      const up = new Set(seen.filter((s) => s.backend === backendName(endpoint.name) && isUp(s)).map((s) => s.name));
      return { name: endpoint.name, servers: endpoint.targets.filter((target) => up.has(endpointServer(target.id))) };
    }),
    aliases: traffic.aliases.toSorted(byKey((alias) => alias.name)),
    listeners,
    groups: traffic.groups.toSorted(byKey((group) => group.id)).map((group) => ({ group, up: upTargets(group, seen) })),
  });
}

/** A socket keeps its number for as long as it is held; a new one gets the lowest that is free. */
function withNumbers(options: BalancerOptions, listeners: readonly ListenerDesired[], held: readonly HeldSocket[]): ListenerSpec[] {
  const numbers = new Map(held.map((socket) => [`${socket.address}:${socket.port}`, socket.fd]));
  const taken = new Set([FRONT_FD, ...numbers.values()]);
  let next = FRONT_FD;
  return listeners.toSorted(byKey((listener) => listener.id)).map((listener) => {
    const key = `${listener.address}:${listener.port}`;
    while (!numbers.has(key) && taken.has(next)) next += 1;
    const fd = numbers.get(key) ?? next;
    numbers.set(key, fd);
    taken.add(fd);
    const crtList = listener.tls === null ? null : join(dirname(options.configPath), `${listener.id}.crt-list`);
    return { ...listener, fd, crtList };
  });
}

const byKey =
  <T>(key: (one: T) => string) =>
  (a: T, b: T): number =>
    key(a) < key(b) ? -1 : 1;
