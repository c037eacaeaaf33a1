/**
 * Queries of Logs Insights as they run: a few at a time, bounded in memory and time, each giving way to everybody else every few milliseconds. They are in memory: a
 * control plane that starts anew knows none, and says so. Source: CloudWatch Logs API reference, StartQuery and GetQueryResults.
 */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { walkPacked } from '#base/packed-events.ts';
import type { Scope } from '#domain/scope.ts';
import { parseQuery } from './insights/parser.ts';
import { createPipeline, type Pipeline } from './insights/pipeline.ts';
import type { Reader } from './reader.ts';
import type { Query, QueryWish } from './types.ts';

/** A stream that a query reads. */
export type QueryStream = { id: number; name: string; log: string };

/** How long it works before it gives way. */
const TURN_MS = 8;

type Running = Query & Scope & { isStopped: boolean };

export type Queries = {
  /** Throws Fault('InvalidParameter') for a query that can't be read, LimitExceeded while too many run. */
  start(scope: Scope, wish: QueryWish, streams: () => Iterable<QueryStream>): void;
  get(scope: Scope, id: string): Query | undefined;
  /** Newest first. */
  list(scope: Scope): Query[];
  /** Whether it ran. */
  stop(scope: Scope, id: string): boolean;
  close(): void;
};

export function createQueries({ clock, log, reader }: { clock: Clock; log: Log; reader: Reader }): Queries {
  const all = new Map<string, Running>();
  const isOver = ({ status }: Query) => status !== 'Running';

  function find({ account, region }: Scope, id: string): Running | undefined {
    const one = all.get(id);
    return one?.account === account && one.region === region ? one : undefined;
  }

  /** The oldest that are over make way. */
  function makeRoom(): void {
    const over = [...all.values()].filter(isOver);
    for (const { id, startedAt } of over) {
      if (all.size >= limits.logQueriesKept || startedAt < clock.now() - limits.logQueryKeptMs) all.delete(id);
    }
  }

  async function scan(query: Running, wish: QueryWish, pipeline: Pipeline, streams: Iterable<QueryStream>): Promise<void> {
    let turn = clock.now();
    for (const { id, name, log: group } of streams) {
      for await (const { events, ingestedAt } of reader.records(id, wish.from, wish.to)) {
        query.statistics.bytesScanned += events.length;
        walkPacked(events, (_index, at, start, end) => {
          query.statistics.recordsScanned++;
          if (at < wish.from || at > wish.to) return;
          query.statistics.recordsMatched++;
          pipeline.push({ at, message: events.toString('utf8', start, end), ingestedAt, stream: name, log: group });
        });
        if (clock.now() - turn >= TURN_MS) {
          await clock.sleep(0);
          turn = clock.now();
        }
        if (query.isStopped) return;
        if (clock.now() - query.startedAt > limits.logQueryMs)
          throw new Fault('TimedOut', `The query took more than ${limits.logQueryMs} ms.`);
      }
    }
  }

  async function run(query: Running, wish: QueryWish, pipeline: Pipeline, streams: () => Iterable<QueryStream>): Promise<void> {
    try {
      await scan(query, wish, pipeline, streams());
      if (query.isStopped) return;
      query.results = pipeline.end();
      query.status = 'Complete';
    } catch (error) {
      const fault = asFault(error);
      query.status = fault.code === 'TimedOut' ? 'Timeout' : 'Failed';
      log.warn('log-query-failed', { id: query.id, reason: fault.message });
    }
    query.tookMs = clock.now() - query.startedAt;
  }

  return {
    start(scope, wish, streams) {
      const pipeline = createPipeline(parseQuery(wish.query), { limit: wish.limit, now: clock.now() });
      const running = [...all.values()].filter((one) => !isOver(one)).length;
      if (running >= limits.logQueriesRunning) throw new Fault('LimitExceeded', `There are ${running} queries running, and no more may.`);
      makeRoom();
      const { account, region } = scope;
      const statistics = { recordsMatched: 0, recordsScanned: 0, bytesScanned: 0 };
      const { id, query: text, groups } = wish;
      const query: Running = {
        id,
        query: text,
        groups,
        account,
        region,
        status: 'Running',
        startedAt: clock.now(),
        tookMs: 0,
        results: [],
        statistics,
        isStopped: false,
      };
      all.set(id, query);
      void run(query, wish, pipeline, streams);
    },
    get: find,
    list: ({ account, region }) => [...all.values()].filter((one) => one.account === account && one.region === region).toReversed(),
    stop(scope, id) {
      const query = find(scope, id);
      if (query === undefined || isOver(query)) return false;
      query.isStopped = true;
      query.status = 'Cancelled';
      return true;
    },
    close() {
      for (const query of all.values()) query.isStopped = true;
    },
  };
}
