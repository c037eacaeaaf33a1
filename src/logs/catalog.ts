/**
 * The catalogue of log groups and streams: SQLite, so that lists are paged and sorted without being held in memory. A stream's statistics
 * in it are a cache of what its segments say, brought up to date before they are read.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Scope } from '#domain/scope.ts';
import type { LogGroup, LogStream } from './types.ts';

/** Without the sum of its streams' bytes, which takes longer with every stream. */
export type GroupRow = Omit<LogGroup, 'storedBytes'> & { id: number };
export type StreamRow = { id: number; groupId: number; name: string; createdAt: number };
export type StreamStats = { firstEventAt: number | null; lastEventAt: number | null; lastIngestionAt: number | null; storedBytes: number };
/** A closed segment; `earliest` is above `latest` when it has no events. */
export type SegmentRow = { no: number; earliest: number; latest: number };

type SqlRow = Record<string, string | number | null>;

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    created_at INTEGER NOT NULL, retention INTEGER, tags TEXT NOT NULL, UNIQUE (account, region, name)) STRICT;
  CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL,
    first_event INTEGER, last_event INTEGER, last_ingestion INTEGER, bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (group_id, name)) STRICT;
  CREATE INDEX IF NOT EXISTS streams_by_time ON streams (group_id, last_event);
  CREATE TABLE IF NOT EXISTS segments (
    stream_id INTEGER NOT NULL, no INTEGER NOT NULL, earliest REAL NOT NULL, latest REAL NOT NULL,
    PRIMARY KEY (stream_id, no)) STRICT, WITHOUT ROWID;
`;

export type Catalog = ReturnType<typeof openCatalog>;

export function openCatalog(path: string) {
  const db = new DatabaseSync(path);
  db.exec(schema);
  const prepared = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const known = prepared.get(text);
    if (known !== undefined) return known;
    const made = db.prepare(text);
    prepared.set(text, made);
    return made;
  };
  const all = (text: string, ...values: (string | number | null)[]) => sql(text).all(...values) as SqlRow[];
  const one = (text: string, ...values: (string | number | null)[]) => sql(text).get(...values) as SqlRow | undefined;
  const run = (text: string, ...values: (string | number | null)[]) => sql(text).run(...values);

  let pending: PromiseWithResolvers<void> | undefined;
  function commitNow(): void {
    const current = pending;
    pending = undefined;
    if (current === undefined) return;
    try {
      db.exec('COMMIT');
      current.resolve();
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      current.reject(error);
    }
  }

  /** Runs a change; resolves when it is on disk. Changes of one turn of the event loop share a commit. `fn` must not fail halfway. */
  function change(fn: () => void): Promise<void> {
    if (pending === undefined) {
      db.exec('BEGIN IMMEDIATE');
      const opened = Promise.withResolvers<void>();
      pending = opened;
      setImmediate(() => {
        if (pending === opened) commitNow();
      });
    }
    fn();
    return pending.promise;
  }

  const toGroup = (row: SqlRow): GroupRow => ({
    id: Number(row['id']),
    account: String(row['account']),
    region: String(row['region']),
    name: String(row['name']),
    createdAt: Number(row['created_at']),
    retentionDays: row['retention'] as number | null,
    tags: JSON.parse(String(row['tags'])) as Record<string, string>,
  });
  const measured = (group: GroupRow): LogGroup & GroupRow => ({
    ...group,
    storedBytes: Number(one('SELECT coalesce(sum(bytes), 0) AS total FROM streams WHERE group_id = ?', group.id)?.['total'] ?? 0),
  });
  const toStream = (row: SqlRow): StreamRow & LogStream => ({
    id: Number(row['id']),
    groupId: Number(row['group_id']),
    name: String(row['name']),
    createdAt: Number(row['created_at']),
    firstEventAt: row['first_event'] as number | null,
    lastEventAt: row['last_event'] as number | null,
    lastIngestionAt: row['last_ingestion'] as number | null,
    storedBytes: Number(row['bytes']),
  });
  const streamOf = (row: SqlRow | undefined) => (row === undefined ? undefined : toStream(row));

  return {
    group(scope: Scope, name: string): GroupRow | undefined {
      const row = one('SELECT * FROM groups WHERE account = ? AND region = ? AND name = ?', scope.account, scope.region, name);
      return row === undefined ? undefined : toGroup(row);
    },
    measured,
    /** Ordered by name, from the first after `after`. */
    groups(
      scope: Scope,
      { prefix = '', pattern = '', after = '', limit }: { prefix?: string; pattern?: string; after?: string; limit: number },
    ) {
      return all(
        `SELECT * FROM groups WHERE account = ? AND region = ? AND name > ? AND name >= ? AND substr(name, 1, ?) = ?
         AND (? = '' OR instr(lower(name), lower(?)) > 0) ORDER BY name LIMIT ?`,
        scope.account,
        scope.region,
        after,
        prefix,
        prefix.length,
        prefix,
        pattern,
        pattern,
        limit,
      ).map((row) => measured(toGroup(row)));
    },
    retained: () => all('SELECT * FROM groups WHERE retention IS NOT NULL').map(toGroup),
    addGroup: (scope: Scope, name: string, createdAt: number, tags: Record<string, string>) =>
      change(() => {
        const values = [scope.account, scope.region, name, createdAt, JSON.stringify(tags)] as const;
        run('INSERT INTO groups (account, region, name, created_at, tags) VALUES (?, ?, ?, ?, ?)', ...values);
      }),
    setRetention: (id: number, days: number | null) => change(() => run('UPDATE groups SET retention = ? WHERE id = ?', days, id)),
    setTags: (id: number, tags: Record<string, string>) =>
      change(() => run('UPDATE groups SET tags = ? WHERE id = ?', JSON.stringify(tags), id)),
    /** Removes a group with its streams' rows. */
    removeGroup: (id: number) =>
      change(() => {
        run('DELETE FROM segments WHERE stream_id IN (SELECT id FROM streams WHERE group_id = ?)', id);
        run('DELETE FROM streams WHERE group_id = ?', id);
        run('DELETE FROM groups WHERE id = ?', id);
      }),

    stream: (groupId: number, name: string) => streamOf(one('SELECT * FROM streams WHERE group_id = ? AND name = ?', groupId, name)),
    streamById: (id: number) => streamOf(one('SELECT * FROM streams WHERE id = ?', id)),
    addStream: (groupId: number, name: string, createdAt: number) =>
      change(() => run('INSERT INTO streams (group_id, name, created_at) VALUES (?, ?, ?)', groupId, name, createdAt)),
    removeStream: (id: number) =>
      change(() => {
        run('DELETE FROM segments WHERE stream_id = ?', id);
        run('DELETE FROM streams WHERE id = ?', id);
      }),
    streamIds: (groupId: number) => all('SELECT id FROM streams WHERE group_id = ?', groupId).map((row) => Number(row['id'])),
    streamsByName(groupId: number, options: { prefix: string; descending: boolean; after: string | undefined; limit: number }) {
      const [order, compare] = options.descending ? ['DESC', '<'] : ['ASC', '>'];
      const from = options.after === undefined ? '' : `AND name ${compare} ?`;
      return all(
        `SELECT * FROM streams WHERE group_id = ? AND substr(name, 1, ?) = ? ${from} ORDER BY name ${order} LIMIT ?`,
        groupId,
        options.prefix.length,
        options.prefix,
        ...(options.after === undefined ? [] : [options.after]),
        options.limit,
      ).map(toStream);
    },
    /** A stream without events counts as older than all. */
    streamsByTime(groupId: number, options: { descending: boolean; after: { at: number; id: number } | undefined; limit: number }) {
      const [order, compare] = options.descending ? ['DESC', '<'] : ['ASC', '>'];
      const from = options.after === undefined ? '' : `AND (coalesce(last_event, -1), id) ${compare} (?, ?)`;
      return all(
        `SELECT * FROM streams WHERE group_id = ? ${from} ORDER BY coalesce(last_event, -1) ${order}, id ${order} LIMIT ?`,
        groupId,
        ...(options.after === undefined ? [] : [options.after.at, options.after.id]),
        options.limit,
      ).map(toStream);
    },
    /** Streams that have events in the range, page by page in order of id. */
    streamsWithin(groupId: number, from: number, to: number, prefix: string, afterId: number, limit: number) {
      return all(
        `SELECT * FROM streams WHERE group_id = ? AND last_event >= ? AND first_event <= ? AND substr(name, 1, ?) = ? AND id > ?
         ORDER BY id LIMIT ?`,
        groupId,
        from,
        to,
        prefix.length,
        prefix,
        afterId,
        limit,
      ).map(toStream);
    },
    /** Streams whose oldest event is before `at`. */
    streamsBefore: (groupId: number, at: number) =>
      all('SELECT * FROM streams WHERE group_id = ? AND first_event < ?', groupId, at).map(toStream),
    saveStats: (stats: [id: number, stats: StreamStats][]) =>
      change(() => {
        for (const [id, s] of stats) {
          const values = [s.firstEventAt, s.lastEventAt, s.lastIngestionAt, s.storedBytes, id] as const;
          run('UPDATE streams SET first_event = ?, last_event = ?, last_ingestion = ?, bytes = ? WHERE id = ?', ...values);
        }
      }),

    segments: (streamId: number): SegmentRow[] =>
      all('SELECT no, earliest, latest FROM segments WHERE stream_id = ? ORDER BY no', streamId).map((row) => ({
        no: Number(row['no']),
        earliest: Number(row['earliest']),
        latest: Number(row['latest']),
      })),
    addSegment: (streamId: number, { no, earliest, latest }: SegmentRow) =>
      change(() =>
        run('INSERT OR REPLACE INTO segments (stream_id, no, earliest, latest) VALUES (?, ?, ?, ?)', streamId, no, earliest, latest),
      ),
    removeSegment: (streamId: number, no: number) => change(() => run('DELETE FROM segments WHERE stream_id = ? AND no = ?', streamId, no)),
    /** Resolves when every change so far is on disk. */
    settled: (): Promise<void> => pending?.promise ?? Promise.resolve(),
    /** Commits at once what waits for the turn's end. */
    commitNow,
    close() {
      commitNow();
      db.close();
    },
  };
}
