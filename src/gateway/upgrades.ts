/** Connections that become another protocol. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '#base/log.ts';
import type { UpgradeRoute } from './types.ts';

export type Upgrades = {
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Cuts those that are open. */
  close(): void;
};

export function takeUpgrades(routes: UpgradeRoute[], log: Log): Upgrades {
  const open = new Set<Duplex>();
  return {
    take(request, socket, head) {
      socket.on('error', () => socket.destroy());
      const route = routes.find(({ prefix }) => request.url?.startsWith(prefix));
      if (route === undefined) return void socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      route.handle(request, socket, head).catch((error: unknown) => {
        log.error('upgrade-broke', {}, error);
        socket.destroy();
      });
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}
