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

/** A line of `show stat` (management guide, section 9.1). */
export type StatLine = Readonly<Record<string, string>>;

/** Of its hundred columns, those that anybody reads: with a thousand servers the rest would cost more than all else. */
const COLUMNS = new Set(
  (
    'pxname svname status check_status check_code chkdown scur qcur req_tot stot bin bout econ eresp ' +
    'hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other rtime rtime_max'
  ).split(' '),
);

/** Reads `show stat`: CSV with a header, several answers one after the other. */
export function parseShowStat(csv: string): StatLine[] {
  let header: [name: string, at: number][] = [];
  const lines: StatLine[] = [];
  for (const line of csv.split('\n')) {
    if (line.startsWith('# ')) {
      const names = line.slice(2).split(',');
      header = names.flatMap((name, at): typeof header => (COLUMNS.has(name) ? [[name, at]] : []));
    } else if (header.length > 0 && line.includes(',')) {
      const fields = line.split(',');
      const found: Record<string, string> = {};
      for (const [name, at] of header) found[name] = fields[at] ?? '';
      lines.push(found);
    }
  }
  return lines;
}

/** Who answers: the process, and the structure of the configuration that it runs. */
export type Running = { pid: number; structure: string };

export function parseShowInfo(text: string): Running {
  const pid = /^Pid: (\d+)$/m.exec(text)?.[1];
  if (pid === undefined) throw new Fault('ProtocolError', `HAProxy's "show info" has no Pid: ${text.slice(0, 200)}`);
  return { pid: Number(pid), structure: /^description: (\S+)$/m.exec(text)?.[1] ?? '' };
}
