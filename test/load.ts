/** A steady load of HTTP requests that counts exactly what became of each. */
import { Agent, request } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export type LoadOptions = {
  host: string;
  port: number;
  path?: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  /** Each asks, waits for the whole answer, pauses, and asks again; so as many requests as clients are under way at most. */
  clients: number;
  /** One connection for a client's requests as long as it stands, or a connection for each. */
  keepAlive: boolean;
  pauseMs?: number;
};

/** `begunAt` in ms since the epoch; `why`: the error's code, or the status. */
export type Failure = { begunAt: number; tookMs: number; why: string };
export type Counts = {
  answered: number;
  failures: Failure[];
  longestMs: number;
  /** How late this process itself was at most: on a busy machine that is in `longestMs` too. */
  lateMs: number;
  /** When the first answer was there, in ms since the epoch; NaN without one. */
  firstAt: number;
  /** Answers by their bodies, where these tell servers apart. */
  bodies: Map<string, number>;
};
export type Load = {
  counts: Counts;
  /** Ends once every request under way has its answer. */
  end(): Promise<Counts>;
};

/** Past it a request counts as failed. */
const TIMEOUT_MS = 20_000;

export function startLoad(options: LoadOptions): Load {
  const counts: Counts = { answered: 0, failures: [], longestMs: 0, lateMs: 0, firstAt: NaN, bodies: new Map() };
  const lateness = monitorEventLoopDelay({ resolution: 5 });
  lateness.enable();
  let running = true;
  const clients = Array.from({ length: options.clients }, async () => {
    const agent = options.keepAlive ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    while (running) {
      const begunAt = Date.now();
      const { why, body } = await ask(options, agent);
      const tookMs = Date.now() - begunAt;
      counts.longestMs = Math.max(counts.longestMs, tookMs);
      if (why === null) {
        if (counts.answered === 0) counts.firstAt = Date.now();
        counts.answered += 1;
        counts.bodies.set(body, (counts.bodies.get(body) ?? 0) + 1);
      } else counts.failures.push({ begunAt, tookMs, why });
      await new Promise((resolve) => setTimeout(resolve, options.pauseMs ?? 5));
    }
    agent?.destroy();
  });
  return {
    counts,
    async end() {
      running = false;
      await Promise.all(clients);
      lateness.disable();
      counts.lateMs = Math.round(lateness.max / 1e6);
      return counts;
    },
  };
}

/** Of several loads that ran side by side. */
export function summed(all: readonly Counts[]): Counts {
  const sum: Counts = { answered: 0, failures: [], longestMs: 0, lateMs: 0, firstAt: NaN, bodies: new Map() };
  for (const one of all) {
    sum.answered += one.answered;
    sum.failures.push(...one.failures);
    sum.firstAt = Number.isNaN(sum.firstAt) ? one.firstAt : Math.min(sum.firstAt, one.firstAt);
    sum.longestMs = Math.max(sum.longestMs, one.longestMs);
    sum.lateMs = Math.max(sum.lateMs, one.lateMs);
    for (const [body, times] of one.bodies) sum.bodies.set(body, (sum.bodies.get(body) ?? 0) + times);
  }
  return sum;
}

export const told = ({ answered, failures, longestMs, lateMs }: Counts): string => {
  const kinds = Object.entries(Object.groupBy(failures, (one) => one.why)).map(([why, all = []]) => `${all.length} ${why}`);
  return `${answered} answered, ${failures.length} failed${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}, the longest took ${longestMs} ms (who asked was up to ${lateMs} ms late)`;
};

function ask(options: LoadOptions, agent: Agent | undefined): Promise<{ why: string | null; body: string }> {
  const { host, port, path = '/', method = 'GET', headers = {} } = options;
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) => resolve({ why: error.code ?? error.message, body: '' });
    const call = request({ host, port, path, method, headers, agent: agent ?? false, timeout: TIMEOUT_MS }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('error', fail);
      answer.on('end', () => resolve({ why: answer.statusCode === 200 ? null : String(answer.statusCode), body: body.trim() }));
    });
    call.on('timeout', () => call.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })));
    call.on('error', fail).end();
  });
}
