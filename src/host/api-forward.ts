/** The AWS API inside tasks: on each VPC's uplink, bytes are passed to the control plane's own address. Knows nothing of HTTP. */
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { createUplinkServers } from './uplink-servers.ts';

export type ApiForward = {
  /** Listens on an uplink's host address, once. Throws Fault Unavailable when the port is taken. */
  listen(hostIp: string): Promise<void>;
  close(): Promise<void>;
};

export type ApiForwardOptions = {
  /** On the uplinks; 0 is not possible, as the router's rules name it. */
  port: number;
  target: { host: string; port: number };
};

export function createApiForward({ log }: { log: Log }, options: ApiForwardOptions): ApiForward {
  const sockets = new Set<Socket>();
  const perTask = new Map<string, number>();

  /** Whether a task may have one more connection; given back when `client` closes. One task must not shut the others out. */
  const admit = (client: Socket): boolean => {
    const task = client.remoteAddress ?? '';
    const open = perTask.get(task) ?? 0;
    if (sockets.size >= limits.forwardSockets || open >= limits.forwardConnectionsPerTask) {
      log.debug('api-forward.full', { sockets: sockets.size, task, open });
      return false;
    }
    perTask.set(task, open + 1);
    client.once('close', () => {
      const left = (perTask.get(task) ?? 1) - 1;
      if (left > 0) perTask.set(task, left);
      else perTask.delete(task);
    });
    return true;
  };

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };

  const forward = (client: Socket) => {
    if (!admit(client)) {
      client.destroy();
      return;
    }
    const upstream = connect({ ...options.target, allowHalfOpen: true });
    keep(client);
    keep(upstream);
    const drop = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('error', drop);
    upstream.on('error', drop);
    client.pipe(upstream);
    upstream.pipe(client);
  };

  const servers = createUplinkServers('the API', options.port, () => createServer({ allowHalfOpen: true }, forward));

  return {
    listen: servers.listen,
    close: () => servers.close(sockets),
  };
}
