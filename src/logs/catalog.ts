/**
 * The catalogue of log groups and streams: SQLite, so that lists are paged and sorted without being held in memory. A stream's statistics
 * in it are a cache of what its segments say, brought up to date before they are read.
 */
import { DatabaseSync } from 'node:sqlite';
import type { Scope } from '#domain/scope.ts';
import { catalogFilters, filtersSchema } from './catalog-filters.ts';
import { catalogSql, type SqlRow } from './catalog-sql.ts';
import type { LogGroup, LogGroupClass, LogStream } from './types.ts';

/** Without what is counted: the sum of its streams' bytes takes longer with every stream. */
export type GroupRow = Omit<LogGroup, 'storedBytes' | 'metricFilters'> & { id: number };
export type StreamRow = { id: number; groupId: number; name: string; createdAt: number };
export type StreamStats = { firstEventAt: number | null; lastEventAt: number | null; lastIngestionAt: number | null; storedBytes: number };
/** A closed segment; `earliest` is above `latest` when it has no events. */
export type SegmentRow = { no: number; earliest: number; latest: number };

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    created_at INTEGER NOT NULL, retention INTEGER, tags TEXT NOT NULL, class TEXT NOT NULL DEFAULT 'STANDARD',
    protected INTEGER NOT NULL DEFAULT 0, UNIQUE (account, region, name)) STRICT;
  CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL,
    first_event INTEGER, last_event INTEGER, last_ingestion INTEGER, bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (group_id, name)) STRICT;
  CREATE INDEX IF NOT EXISTS streams_by_time ON streams (group_id, last_event);
  CREATE TABLE IF NOT EXISTS segments (
    stream_id INTEGER NOT NULL, no INTEGER NOT NULL, earliest REAL NOT NULL, latest REAL NOT NULL,
    PRIMARY KEY (stream_id, no)) STRICT, WITHOUT ROWID;
`;

export type Catalog = ReturnType<typeof openCatalog>;

/** What groups of a berth before this one lack. */
function addColumns(db: DatabaseSync): void {
  const there = new Set(
    db
      .prepare('PRAGMA table_info(groups)')
      .all()
      .map((row) => row['name']),
  );
  if (!there.has('class')) db.exec("ALTER TABLE groups ADD COLUMN class TEXT NOT NULL DEFAULT 'STANDARD'");
  if (!there.has('protected')) db.exec('ALTER TABLE groups ADD COLUMN protected INTEGER NOT NULL DEFAULT 0');
}

export function openCatalog(path: string) {
  const db = new DatabaseSync(path);
  db.exec(schema);
  db.exec(filtersSchema);
  addColumns(db);
  const sql = catalogSql(db);
  const { all, one, run, change } = sql;

  const toGroup = (row: SqlRow): GroupRow => ({
    id: Number(row['id']),
    account: String(row['account']),
    region: String(row['region']),
    name: String(row['name']),
    createdAt: Number(row['created_at']),
    retentionDays: row['retention'] as number | null,
    tags: JSON.parse(String(row['tags'])) as Record<string, string>,
    class: row['class'] as LogGroupClass,
    isProtected: row['protected'] === 1,
  });
  const filters = catalogFilters(sql);
  const measured = (group: GroupRow): LogGroup & GroupRow => ({
    ...group,
    storedBytes: Number(one('SELECT coalesce(sum(bytes), 0) AS total FROM streams WHERE group_id = ?', group.id)?.['total'] ?? 0),
    metricFilters: filters.filterCount(group.id),
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
    groups(scope: Scope, options: { prefix?: string; pattern?: string; class?: LogGroupClass; after?: string; limit: number }) {
      const { prefix = '', pattern = '', class: kind = '', after = '', limit } = options;
      return all(
        `SELECT * FROM groups WHERE account = ? AND region = ? AND name > ? AND name >= ? AND substr(name, 1, ?) = ?
         AND (? = '' OR instr(lower(name), lower(?)) > 0) AND (? = '' OR class = ?) ORDER BY name LIMIT ?`,
        scope.account,
        scope.region,
        after,
        prefix,
        prefix.length,
        prefix,
        pattern,
        pattern,
        kind,
        kind,
        limit,
      ).map((row) => measured(toGroup(row)));
    },
    retained: () => all('SELECT * FROM groups WHERE retention IS NOT NULL').map(toGroup),
    addGroup: (scope: Scope, name: string, createdAt: number, options: Pick<GroupRow, 'tags' | 'class' | 'isProtected'>) =>
      change(() => {
        const { tags, class: kind, isProtected } = options;
        const values = [scope.account, scope.region, name, createdAt, JSON.stringify(tags), kind, isProtected ? 1 : 0] as const;
        run('INSERT INTO groups (account, region, name, created_at, tags, class, protected) VALUES (?, ?, ?, ?, ?, ?, ?)', ...values);
      }),
    setProtected: (id: number, isProtected: boolean) =>
      change(() => run('UPDATE groups SET protected = ? WHERE id = ?', isProtected ? 1 : 0, id)),
    setRetention: (id: number, days: number | null) => change(() => run('UPDATE groups SET retention = ? WHERE id = ?', days, id)),
    setTags: (id: number, tags: Record<string, string>) =>
      change(() => run('UPDATE groups SET tags = ? WHERE id = ?', JSON.stringify(tags), id)),
    /** Removes a group with its streams' rows. */
    removeGroup: (id: number) =>
      change(() => {
        run('DELETE FROM segments WHERE stream_id IN (SELECT id FROM streams WHERE group_id = ?)', id);
        run('DELETE FROM streams WHERE group_id = ?', id);
        run('DELETE FROM metric_filters WHERE group_id = ?', id);
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
    ...filters,
    settled: sql.settled,
    commitNow: sql.commitNow,
    close() {
      sql.commitNow();
      db.close();
    },
  };
}
