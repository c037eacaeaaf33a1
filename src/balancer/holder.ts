/** The process that holds the listening sockets and keeps a HAProxy on them (supervisor/src/balance.rs): one JSON line there, one back. */
import { createConnection } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type HeldSocket = { fd: number; address: string; port: number };

export type HolderStatus = {
  /** Of the process that was asked about. */
  running: boolean | null;
  /** The last that it wrote. */
  words: string | null;
  /** Process id of the HAProxy that serves; null for the moment between two. */
  current: number | null;
  listeners: HeldSocket[];
};

/** All throw Fault: Unavailable (nobody holds, or it refused, with its reason), TimedOut. */
export type Holder = {
  /** Opens the sockets that CONFIG.new wants and starts a HAProxy on it, which takes over once it is ready; its process id. */
  reload(): Promise<number>;
  /** CONFIG is now what runs: sockets that it does not want are closed. */
  settle(): Promise<void>;
  status(pid: number | null): Promise<HolderStatus>;
};

export function createHolder(socketPath: string, clock: Clock): Holder {
  const ask = async (request: object): Promise<Record<string, unknown>> => {
    const text = await exchange(socketPath, `${JSON.stringify(request)}\n`, clock);
    const answer = parse(text);
    if (typeof answer['error'] === 'string') throw new Fault('Unavailable', `the load balancers' sockets: ${answer['error']}`);
    return answer;
  };
  return {
    reload: async () => Number((await ask({ op: 'reload' }))['pid']),
    settle: async () => void (await ask({ op: 'settle' })),
    status: async (pid) => (await ask({ op: 'status', pid })) as unknown as HolderStatus,
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Fault('ProtocolError', `the holder of the sockets answered ${JSON.stringify(text.slice(0, 100))}`, { cause: error });
  }
}

function exchange(socketPath: string, line: string, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    let answer = '';
    const timer = clock.after(limits.haproxyCommandMs, () => {
      socket.destroy();
      reject(new Fault('TimedOut', `the holder of the sockets did not answer on ${socketPath} within ${limits.haproxyCommandMs} ms`));
    });
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      if (answer.length <= limits.haproxyAnswerBytes) answer += chunk;
    });
    socket.on('error', (error) => {
      timer.cancel();
      reject(new Fault('Unavailable', `nobody holds the sockets on ${socketPath}: ${error.message}`, { cause: error }));
    });
    socket.on('close', () => {
      timer.cancel();
      resolve(answer);
    });
    socket.write(line);
  });
}
