/** Addresses and sockets that HAProxy, its first configuration and the balancer share. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { InstanceConfig } from './config.ts';
import type { InstancePaths } from './paths.ts';

export function haproxyAddresses(paths: InstancePaths, config: InstanceConfig) {
  return {
    listen: config.listen,
    port: config.endpointPort,
    statsSocket: join(paths.haproxyRun, 'stats.sock'),
    // More than these HAProxy can rarely use, and each takes memory.
    threads: Math.min(8, availableParallelism()),
    activatorSocket: join(paths.haproxyRun, 'activator.sock'),
    accessSocket: join(paths.haproxyRun, 'access.sock'),
    acmeDomain: config.domain,
  };
}
