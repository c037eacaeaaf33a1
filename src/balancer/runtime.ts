/** HAProxy's runtime API: one connection a batch of commands (HAProxy 2.6 management guide, section 9.3). */
import { createConnection } from 'node:net';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Clock } from '#base/clock.ts';

export type RuntimeApi = {
  /** Sends commands in one batch; resolves with the answer's text. Faults: Unavailable (no HAProxy there), TimedOut. */
  run(commands: string[]): Promise<string>;
};

export function createRuntimeApi(socketPath: string, clock: Clock): RuntimeApi {
  return {
    run: (commands) =>
      new Promise((resolve, reject) => {
        const socket = createConnection(socketPath);
        const parts: Buffer[] = [];
        let length = 0;
        const timer = clock.after(limits.haproxyCommandMs, () => {
          socket.destroy();
          reject(new Fault('TimedOut', `HAProxy did not answer on ${socketPath} within ${limits.haproxyCommandMs} ms`));
        });
        socket.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length <= limits.haproxyAnswerBytes) parts.push(chunk);
        });
        socket.on('error', (error) => {
          timer.cancel();
          reject(new Fault('Unavailable', `HAProxy does not answer on ${socketPath}: ${error.message}`, { cause: error }));
        });
        socket.on('close', () => {
          timer.cancel();
          resolve(Buffer.concat(parts).toString('utf8'));
        });
        // Not end(): HAProxy drops the answer of a half-closed connection to the master.
        socket.write(`${commands.join(';')}\n`);
      }),
  };
}

export type ServerSeen = { backend: string; name: string; up: boolean };

/** Reads `show stat` (CSV with a header) into the servers of our backends, the activators left out. */
export function parseShowStat(csv: string): ServerSeen[] {
  const lines = csv.split('\n').filter((l) => l.length > 0);
  const header = (lines[0] ?? '').replace(/^# /, '').split(',');
  const column = (name: string) => header.indexOf(name);
  const [px, sv, status] = [column('pxname'), column('svname'), column('status')];
  if (px < 0 || sv < 0 || status < 0) return [];
  return lines
    .slice(1)
    .map((line) => line.split(','))
    .filter((f) => (f[px] ?? '').startsWith('ep_') && (f[sv] ?? '').startsWith('t_'))
    .map((f) => ({ backend: f[px] ?? '', name: f[sv] ?? '', up: (f[status] ?? '').startsWith('UP') }));
}
