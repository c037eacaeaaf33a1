/** What a host serves to tasks of every VPC: one server for each uplink's host address, opened when its first task needs it. */
import type { Server, Socket } from 'node:net';
import { Fault } from '#base/fault.ts';

export type UplinkServers = {
  /** Once for each address. Throws Fault Unavailable when the port is taken. */
  listen(hostIp: string): Promise<void>;
  /** Cuts off `sockets`, those of its connections, and resolves once all servers are closed. */
  close(sockets: Iterable<Socket>): Promise<void>;
};

/** `what`: of what the error says that it "can't be served to tasks". `create`: the server of an address, not listening yet. */
export function createUplinkServers(what: string, port: number, create: (hostIp: string) => Server): UplinkServers {
  // The address of a VPC that is gone may be another's, which its server then serves.
  const servers = new Map<string, Promise<Server>>();
  const open = (hostIp: string) =>
    new Promise<Server>((resolve, reject) => {
      const server = create(hostIp);
      server.once('error', (error) => {
        const text = `${what} can't be served to tasks on ${hostIp}:${port}: ${error.message}`;
        reject(new Fault('Unavailable', text, { cause: error }));
      });
      server.listen({ host: hostIp, port }, () => resolve(server));
    });
  return {
    async listen(hostIp) {
      let server = servers.get(hostIp);
      if (server === undefined) {
        server = open(hostIp);
        servers.set(hostIp, server);
        server.catch(() => servers.delete(hostIp));
      }
      await server;
    },
    async close(sockets) {
      const all = await Promise.allSettled(servers.values());
      servers.clear();
      for (const socket of sockets) socket.destroy();
      await Promise.all(
        all.map((one) =>
          one.status === 'fulfilled' ? new Promise<void>((resolve) => one.value.close(() => resolve())) : Promise.resolve(),
        ),
      );
    },
  };
}
