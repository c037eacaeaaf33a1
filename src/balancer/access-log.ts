/**
 * Takes what HAProxy tells of requests (render-access-log.ts) and hands it on in batches, in Elastic Load Balancing's words. Nothing that comes is believed: a
 * frame has a bound, a line that isn't one is left out, and what is too much is dropped and counted. What HAProxy could not hand over waits in its ring.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Fields, Log } from '#base/log.ts';
import { accessLogLine, groupIdOf } from './access-format.ts';
import type { LoggedListener } from './access-format.ts';
import { parseAccessLine } from './access-line.ts';
import { createLatencies } from './latency.ts';
import type { LatencyMs } from './latency.ts';
import type { AccessLogDesired, BalancerMetrics, ListenerDesired } from './types.ts';

export type AccessLogEvent = { timestamp: number; message: string };

/** Where batches go: events of one load balancer in order of time, within PutLogEvents' bounds. What throws is dropped, counted and said. */
export type AccessLogSink = (to: AccessLogDesired, events: AccessLogEvent[]) => Promise<void>;

export type AccessLog = {
  /** The listeners that there are now. Listens from the first time on: before, nobody could say whose a line is. */
  show(listeners: readonly ListenerDesired[]): Promise<void>;
  /** The same counters, with the percentiles of what is logged. */
  withLatencies(metrics: BalancerMetrics): BalancerMetrics;
  /** As `Balancer.takeAnswerTimes`. */
  takeAnswerTimes(): ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Lines that were dropped: HAProxy's ring was full, too much came at once, or nobody took them; and what was no line of a listener that is known. */
  counts(): { dropped: number; strange: number };
  /** Hands on what is there, and ends. */
  close(): Promise<void>;
};

export function createAccessLog(deps: { clock: Clock; log: Log }, socketPath: string, sink: AccessLogSink): AccessLog {
  const { clock } = deps;
  const latencies = createLatencies(clock);
  const queue = createQueue(deps, sink);
  const sockets = new Set<Socket>();
  let known = new Map<string, LoggedListener>();
  let server: Promise<Server> | null = null;
  let strange = 0;
  let answers = new Map<string, Map<number, number>>();

  const take = (line: string): void => {
    const seen = parseAccessLine(line);
    const listener = seen === undefined ? undefined : known.get(seen.frontend);
    if (seen === undefined || listener === undefined) {
      // HAProxy's own words for what did not fit its ring.
      const lost = /^(\d{1,15}) events? dropped$/.exec(line)?.[1];
      if (lost === undefined) strange += 1;
      else queue.lost(Number(lost));
      return;
    }
    const group = groupIdOf(seen.backend);
    if (seen.kind === 'request') latencies.note(balancerKey(listener), seen.totalMs);
    if (seen.kind === 'request' && group !== null && seen.answerMs >= 0) {
      latencies.note(`tg ${group}`, seen.answerMs);
      noteAnswer(answers, group, seen.answerMs);
    }
    queue.add(listener.accessLog, { timestamp: seen.at + Math.max(0, seen.totalMs), message: accessLogLine(seen, listener) });
  };
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    const frames = createFrames();
    socket.on('data', (chunk: Buffer) => {
      if (!frames(chunk, take)) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  return {
    async show(listeners) {
      const logged = listeners.filter((listener): listener is LoggedListener => listener.accessLog !== null);
      known = new Map(logged.map((listener) => [`l_${listener.id}`, listener]));
      latencies.keep(new Set(logged.flatMap((one) => [balancerKey(one), ...Object.keys(one.accessLog.groupArns).map((id) => `tg ${id}`)])));
      server ??= listen(socketPath, serve);
      await server;
    },
    withLatencies: (metrics) => addLatencies(metrics, [...known.values()], latencies.of),
    takeAnswerTimes() {
      const taken = answers;
      answers = new Map();
      return taken;
    },
    counts: () => ({ dropped: queue.dropped(), strange }),
    async close() {
      const open = await server?.catch(() => undefined);
      open?.close();
      for (const socket of sockets) socket.destroy();
      await queue.close();
    },
  };
}

/** Three digits of each time are kept, so that there are never more than some thousand. */
function noteAnswer(answers: Map<string, Map<number, number>>, group: string, ms: number): void {
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, ms))) - 2);
  const kept = Math.round(ms / digits) * digits;
  const times = answers.get(group) ?? new Map<number, number>();
  times.set(kept, (times.get(kept) ?? 0) + 1);
  answers.set(group, times);
}

const balancerKey = ({ accessLog }: LoggedListener): string => `lb ${accessLog.balancerId}`;

function addLatencies(metrics: BalancerMetrics, logged: LoggedListener[], of: (key: string) => LatencyMs | undefined): BalancerMetrics {
  const balancers = new Map(logged.map((one) => [one.accessLog.balancerId, of(balancerKey(one))]));
  return {
    ...metrics,
    loadBalancers: [...balancers].flatMap(([id, latencyMs]) => (latencyMs === undefined ? [] : [{ id, latencyMs }])),
    groups: metrics.groups.map((group) => {
      const latencyMs = of(`tg ${group.id}`);
      return latencyMs === undefined ? group : { ...group, latencyMs };
    }),
  };
}

async function listen(path: string, serve: (socket: Socket) => void): Promise<Server> {
  await rm(path, { force: true });
  const server = createServer(serve);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  // HAProxy runs as the same user as the control plane; nobody else has anything to tell.
  await chmod(path, 0o600);
  return server;
}

/** Frames of RFC 6587's octet counting: `LENGTH SP TEXT`. false: what comes is none, and the rest can't be read. */
function createFrames(): (chunk: Buffer, take: (line: string) => void) => boolean {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk, take) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at < rest.length) {
      const head = /^(\d{1,6})( ?)/.exec(rest.toString('latin1', at, at + 8));
      const length = Number(head?.[1]);
      if (head === null || length > limits.accessLineBytes) return false;
      const from = at + head[0].length;
      if (head[2] === '' && from < rest.length) return false;
      if (head[2] === '' || from + length > rest.length) break;
      take(rest.toString('latin1', from, from + length));
      at = from + length;
    }
    rest = rest.subarray(at);
    return true;
  };
}

/** Events that wait, by load balancer; handed on now and again. */
function createQueue({ clock, log }: { clock: Clock; log: Log }, sink: AccessLogSink) {
  let waiting = new Map<string, { to: AccessLogDesired; events: AccessLogEvent[] }>();
  let bytes = 0;
  let dropped = 0;
  let said = 0;
  let quietUntil = 0;
  let refusal: Fields = {};
  let flushing: Promise<void> = Promise.resolve();
  let timer: { cancel(): void } | null = null;

  const hand = async (to: AccessLogDesired, events: AccessLogEvent[]): Promise<void> => {
    for (const batch of batches(events.toSorted((a, b) => a.timestamp - b.timestamp))) {
      await sink(to, batch).catch((error: unknown) => {
        dropped += batch.length;
        refusal = { balancer: to.balancer, group: to.group, reason: asFault(error).message };
      });
    }
  };
  const flush = async (): Promise<void> => {
    const taken = waiting;
    waiting = new Map();
    for (const { to, events } of taken.values()) {
      await hand(to, events);
      bytes -= events.reduce((sum, event) => sum + sizeOf(event), 0);
    }
    if (dropped === said || clock.now() < quietUntil) return;
    // `refusal`: the last of them, where the logs did not take it.
    log.warn('access-log.dropped', { lines: dropped - said, ...refusal });
    [said, refusal, quietUntil] = [dropped, {}, clock.now() + limits.accessComplaintMs];
  };
  const begin = (): Promise<void> => (flushing = flushing.then(flush));
  return {
    add(to: AccessLogDesired, event: AccessLogEvent): void {
      if (bytes + sizeOf(event) > limits.accessQueueBytes) {
        dropped += 1;
        return;
      }
      bytes += sizeOf(event);
      const key = `${to.account} ${to.region} ${to.balancer} ${to.group}`;
      const entry = waiting.get(key) ?? { to, events: [] };
      entry.events.push(event);
      waiting.set(key, entry);
      timer ??= clock.after(limits.accessFlushMs, () => {
        timer = null;
        void begin();
      });
    },
    lost: (lines: number): void => void (dropped += lines),
    dropped: () => dropped,
    async close(): Promise<void> {
      timer?.cancel();
      await begin();
    },
  };
}

const sizeOf = ({ message }: AccessLogEvent): number => message.length + limits.logEventOverheadBytes;

function batches(events: readonly AccessLogEvent[]): AccessLogEvent[][] {
  const all: AccessLogEvent[][] = [];
  let bytes = Infinity;
  for (const event of events) {
    const size = sizeOf(event);
    if (bytes + size > limits.logPutBytes || (all.at(-1)?.length ?? 0) >= limits.logPutEvents) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)?.push(event);
    bytes += size;
  }
  return all;
}
