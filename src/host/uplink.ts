/** The link as the parts of a host see it: there or not, and made anew by itself. */
import { Fault } from '#base/fault.ts';
import type { FromHost, HostConnection } from '#link/types.ts';

export type Uplink = {
  /** The connection after its welcome, or null. */
  current(): HostConnection | null;
  /** Waits for it. Throws Cancelled when `signal` aborts first. */
  connected(signal: AbortSignal): Promise<HostConnection>;
  /** False when there is none; a message is then lost, and its sender says it again later. */
  send(message: FromHost): boolean;
};

export type SettableUplink = Uplink & { set(connection: HostConnection | null): void };

export function createUplink(): SettableUplink {
  let connection: HostConnection | null = null;
  const waiting = new Set<(made: HostConnection) => void>();
  return {
    current: () => connection,
    connected(signal) {
      if (connection !== null) return Promise.resolve(connection);
      return new Promise((resolve, reject) => {
        const leave = () => {
          waiting.delete(go);
          reject(new Fault('Cancelled', 'the task was stopped while the control plane was away'));
        };
        const go = (made: HostConnection) => {
          signal.removeEventListener('abort', leave);
          resolve(made);
        };
        if (signal.aborted) return leave();
        signal.addEventListener('abort', leave, { once: true });
        waiting.add(go);
      });
    },
    send(message) {
      if (connection === null) return false;
      connection.send(message);
      return true;
    },
    set(next) {
      connection = next;
      if (next === null) return;
      const all = [...waiting];
      waiting.clear();
      for (const one of all) one(next);
    },
  };
}
