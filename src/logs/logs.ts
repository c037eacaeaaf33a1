/**
 * Log groups, streams and events on disk. DIR/catalog.db names groups and streams, DIR/streams holds the events in segments, DIR/redo.log
 * what is not yet synced there. One process at a time.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { packEvents } from '#base/packed-events.ts';
import type { Scope } from '#domain/scope.ts';
import { openCatalog, type GroupRow, type StreamRow } from './catalog.ts';
import { assertDeletable, assertGroupName, assertRetention, assertStreamName, assertTags, checkBatch, groupMissing, invalid, retentionStart, streamMissing } from './checks.ts'; // prettier-ignore
import { createLiveTail, liveTailUpdates } from './live-tail.ts';
import { logFilters } from './log-filters.ts';
import { createMetricFilters, type FilterSink } from './metric-filters.ts';
import { compilePattern } from './pattern.ts';
import { createQueries } from './queries.ts';
import { createReader, type Cursor, type FoundEvent } from './reader.ts';
import { openRedoLog, readRedoLog } from './redo-log.ts';
import { createSegmentFiles } from './segments.ts';
import { createStreamStates } from './stream-states.ts';
import { createSweeper } from './sweeper.ts';
import { createTaps } from './taps.ts';
import { eventId, parsePageToken, parseStreamToken, streamToken } from './tokens.ts';
import type { Logs, LogStream, StoredLogEvent } from './types.ts';
import { createWriter } from './writer.ts';

/** Opens the logs of a folder, and brings back what a crash left in the redo log. Throws what the file system says. */
export function createLogs(deps: { dir: string; clock: Clock; log: Log; metricSink?: FilterSink }): Logs {
  const { dir, clock, log } = deps;
  mkdirSync(join(dir, 'streams'), { recursive: true, mode: 0o700 });
  const catalog = openCatalog(join(dir, 'catalog.db'));
  const files = createSegmentFiles(join(dir, 'streams'));
  const states = createStreamStates(catalog, files);
  recover();
  const redo = openRedoLog(join(dir, 'redo.log'));
  const taps = createTaps(catalog, log);
  const writer = createWriter({ catalog, files, states, redo, taps, clock, log });
  const reader = createReader({ catalog, files, states, writer });
  const queries = createQueries({ clock, log, reader });
  const sweeper = createSweeper({ catalog, files, states, writer, clock, log });

  const metricFilters = createMetricFilters({ clock, log, taps, sink: deps.metricSink ?? (() => Promise.resolve()) });
  for (const [groupId, rows] of Map.groupBy(catalog.filters(), (row) => row.groupId)) metricFilters.set(groupId, rows);
  let liveTails = 0;

  function recover(): void {
    const left = readRedoLog(join(dir, 'redo.log')).filter(({ stream }) => catalog.streamById(stream) !== undefined);
    if (left.length === 0) return;
    files.write(left.filter(({ bytes }) => bytes.length > 0));
    files.syncNow();
    for (const stream of new Set(left.map((record) => record.stream))) states.get(stream);
    states.saveStats().catch((error: unknown) => log.error('log-statistics-failed', {}, error));
    catalog.commitNow();
    log.info('logs-recovered', { records: left.length });
  }

  function need(scope: Scope, name: string): GroupRow {
    assertGroupName(name);
    const group = catalog.group(scope, name);
    if (group === undefined) throw groupMissing();
    return group;
  }

  function needStream(group: GroupRow, name: string) {
    assertStreamName(name);
    const stream = catalog.stream(group.id, name);
    if (stream === undefined) throw streamMissing();
    return stream;
  }

  function addStream(group: GroupRow, name: string): Promise<void> {
    assertStreamName(name);
    return catalog.addStream(group.id, name, clock.now());
  }

  return {
    async createGroup(scope, name, { tags, class: kind = 'STANDARD', isProtected = false }) {
      assertGroupName(name);
      assertTags(tags);
      if (catalog.group(scope, name) !== undefined) throw new Fault('AlreadyExists', 'The specified log group already exists');
      await catalog.addGroup(scope, name, clock.now(), { tags, class: kind, isProtected });
    },
    async deleteGroup(scope, name) {
      const group = need(scope, name);
      assertDeletable(group);
      metricFilters.set(group.id, []);
      await writer.exclusive(() => sweeper.removeStreams(catalog.streamIds(group.id), () => catalog.removeGroup(group.id)));
    },
    async listGroups(scope, { limit, ...filter }) {
      await states.saveStats();
      const rows = catalog.groups(scope, { ...filter, limit: limit + 1 });
      const groups = rows.slice(0, limit);
      const last = groups.at(-1);
      return { groups, ...(rows.length > limit && last !== undefined ? { next: last.name } : {}) };
    },
    async getGroup(scope, name) {
      await states.saveStats();
      const group = catalog.group(scope, name);
      return group === undefined ? undefined : catalog.measured(group);
    },
    async setRetention(scope, name, days) {
      if (days !== null) assertRetention(days);
      await catalog.setRetention(need(scope, name).id, days);
    },
    async setGroupTags(scope, name, tags) {
      assertTags(tags);
      await catalog.setTags(need(scope, name).id, tags);
    },
    async setProtection(scope, name, isProtected) {
      await catalog.setProtected(need(scope, name).id, isProtected);
    },
    async createStream(scope, groupName, name) {
      const group = need(scope, groupName);
      if (catalog.stream(group.id, name) !== undefined) throw new Fault('AlreadyExists', 'The specified log stream already exists');
      await addStream(group, name);
    },
    async deleteStream(scope, groupName, name) {
      const group = need(scope, groupName);
      const { id } = needStream(group, name);
      assertDeletable(group);
      await writer.exclusive(() => sweeper.removeStreams([id], () => catalog.removeStream(id)));
    },
    async listStreams(scope, groupName, { prefix = '', orderBy, descending, after, limit }) {
      const group = need(scope, groupName);
      await states.saveStats();
      const byName = orderBy === 'LogStreamName';
      const position = byName ? undefined : timePosition(after);
      const rows = byName
        ? catalog.streamsByName(group.id, { prefix, descending, after, limit: limit + 1 })
        : catalog.streamsByTime(group.id, { descending, after: position, limit: limit + 1 });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const streams: LogStream[] = page.map(({ id: _id, groupId: _groupId, ...stream }) => stream);
      if (rows.length <= limit || last === undefined) return { streams };
      return { streams, next: byName ? last.name : `${last.lastEventAt ?? -1}.${last.id}` };
    },
    async put(scope, groupName, streamName, events) {
      const group = need(scope, groupName);
      const stream = needStream(group, streamName);
      const { accepted, rejected } = checkBatch(events, clock.now(), group.retentionDays);
      if (accepted.length > 0) await writer.append({ stream: stream.id, events: packEvents(accepted) });
      return rejected;
    },
    async putOnce(scope, groupName, streamName, source, _from, to, events) {
      const group = need(scope, groupName);
      // Nothing is awaited before the append: batches of one source must be queued in the order in which they came.
      const added = catalog.stream(group.id, streamName) === undefined ? addStream(group, streamName) : undefined;
      await Promise.all([added, writer.append({ stream: needStream(group, streamName).id, events, source, to })]);
    },
    async getEvents(scope, groupName, streamName, { startTime = 0, endTime = Infinity, fromHead, token, limit }) {
      const group = need(scope, groupName);
      const stream = needStream(group, streamName);
      const at = token === undefined ? undefined : parseStreamToken(token);
      const newest = at === undefined ? !fromHead : at.direction === 'b';
      const { events } = await reader.page([stream.id], {
        from: Math.max(startTime, retentionStart(group.retentionDays, clock.now())),
        to: endTime - 1, // GetLogEvents' end is exclusive.
        ...(at === undefined ? {} : newest ? { before: at.cursor } : { after: at.cursor }),
        newest,
        limit,
        match: () => true,
      });
      const rest: Cursor = at?.cursor ?? { at: 0, stream: stream.id, seq: 0 };
      return {
        events: events.map((event) => stored(event, stream.name)),
        forward: streamToken('f', events.at(-1) ?? rest),
        backward: streamToken('b', events[0] ?? rest),
      };
    },
    async filter(scope, groupName, { streams, streamPrefix = '', startTime = 0, endTime = Infinity, pattern = '', token, limit }) {
      const group = need(scope, groupName);
      const match = compilePattern(pattern);
      const after = parsePageToken(token);
      await states.saveStats();
      const from = Math.max(startTime, retentionStart(group.retentionDays, clock.now()), after?.at ?? 0);
      const names = new Map<number, string>();
      const ids = streams?.map((name) => {
        const stream = needStream(group, name);
        names.set(stream.id, stream.name);
        return stream.id;
      });
      const page = await reader.page(ids ?? idsOf(streamsWithin(group.id, from, endTime, streamPrefix)), {
        from,
        to: endTime,
        after,
        newest: false,
        limit,
        match,
      });
      const nameOf = (id: number): string => {
        if (!names.has(id)) names.set(id, catalog.streamById(id)?.name ?? '');
        return names.get(id) ?? '';
      };
      const last = page.events.at(-1);
      return {
        events: page.events.map((event) => stored(event, nameOf(event.stream))),
        ...(page.more && last !== undefined ? { next: eventId(last) } : {}),
      };
    },
    liveTail(scope, names, { streams, streamPrefixes, pattern = '' }) {
      const groups = new Map(names.map((name) => [need(scope, name).id, name]));
      const match = compilePattern(pattern);
      if (liveTails >= limits.logLiveTails)
        throw new Fault('LimitExceeded', `There are ${liveTails} Live Tail sessions, and no more may be.`);
      const wantsStream = (stream: string) =>
        (streams?.includes(stream) ?? true) && (streamPrefixes?.some((prefix) => stream.startsWith(prefix)) ?? true);
      const tail = createLiveTail({ groups, wantsStream, match });
      return liveTailUpdates(clock, tail.collect, () => {
        const remove = taps.add(groups.keys(), (committed) => tail.take(committed));
        liveTails++;
        return () => {
          liveTails--;
          remove();
        };
      });
    },
    async startQuery(scope, wish) {
      const groups = wish.groups.map((name) => need(scope, name));
      await states.saveStats();
      const from = Math.max(wish.from, ...groups.map((group) => retentionStart(group.retentionDays, clock.now())));
      queries.start(scope, { ...wish, from }, function* () {
        for (const group of groups) {
          const log = `${group.account}:${group.name}`;
          for (const { id, name } of streamsWithin(group.id, from, wish.to, '')) yield { id, name, log };
        }
      });
    },
    query: (scope, id) => queries.get(scope, id),
    queries: (scope) => queries.list(scope),
    stopQuery: (scope, id) => queries.stop(scope, id),
    ...logFilters({ catalog, clock, active: metricFilters, need }),
    sweep: () => sweeper.sweep(),
    async close() {
      queries.close();
      await metricFilters.close();
      await writer.checkpoint();
      redo.close();
      catalog.close();
    },
  };

  function* streamsWithin(groupId: number, from: number, to: number, prefix: string): Generator<StreamRow> {
    const PAGE = 500;
    for (let after = 0; ;) {
      const rows = catalog.streamsWithin(groupId, from, to, prefix, after, PAGE);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = last.id;
    }
  }
}

function* idsOf(rows: Iterable<StreamRow>): Generator<number> {
  for (const { id } of rows) yield id;
}

function stored(event: FoundEvent, stream: string): StoredLogEvent {
  return { timestamp: event.at, message: event.message, ingestedAt: event.ingestedAt, eventId: eventId(event), stream };
}

function timePosition(after: string | undefined): { at: number; id: number } | undefined {
  if (after === undefined) return undefined;
  const [, at, id] = /^(-?\d{1,15})\.(\d{1,15})$/.exec(after) ?? [];
  if (at === undefined || id === undefined) throw invalid('The specified nextToken is invalid.');
  return { at: Number(at), id: Number(id) };
}
