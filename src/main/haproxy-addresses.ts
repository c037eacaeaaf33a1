/** Addresses and sockets that HAProxy, its first configuration and the balancer share. */
import { join } from 'node:path';
import type { InstanceConfig } from './config.ts';
import type { InstancePaths } from './paths.ts';

export function haproxyAddresses(paths: InstancePaths, config: InstanceConfig) {
  return {
    listen: config.listen,
    port: config.endpointPort,
    statsSocket: join(paths.haproxyRun, 'stats.sock'),
    activatorSocket: join(paths.haproxyRun, 'activator.sock'),
  };
}
