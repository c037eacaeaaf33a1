/**
 * The metrics of this control plane: a small database of their own, since they come by the minute and are compressed by the day. A batch is in the redo log
 * (a table) before it is acknowledged; the blocks that it belongs to are in memory, and written from time to time with the number of the newest
 * batch that they have. After a crash the redo log's batches are added to the blocks that lack them.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { openSqlite } from '#store/sqlite.ts';
import type { Sqlite } from '#store/sqlite.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, openBlocks } from './blocks.ts';
import type { Blocks } from './blocks.ts';
import { openCatalog } from './catalog.ts';
import type { Catalog } from './catalog.ts';
import { together } from './statistics.ts';
import type { Bucket, Metrics, Sample, Span, StatisticSet } from './types.ts';

/** How long what is kept in a period of as many seconds is kept. Source: CloudWatch user guide, "Metrics retention". */
const RETENTION: readonly { periodS: number; keepMs: number }[] = [
  { periodS: 60, keepMs: 15 * DAY_MS },
  { periodS: 300, keepMs: 63 * DAY_MS },
  { periodS: 3600, keepMs: 455 * DAY_MS },
];
/** Blocks in one transaction: what else the process does waits no longer than this takes. */
const BLOCKS_AT_ONCE = 200;
const DAYS_AT_ONCE = 20;

/** Series, start of its minute in ms, count, sum, minimum, maximum, and bins where there are any. */
type Line = [series: number, at: number, count: number, sum: number, min: number, max: number, bins?: [number, number][]];
type Waiting = { samples: Sample[]; resolve(): void; reject(fault: Fault): void };

export function openMetrics({ clock }: { clock: Clock }, options: { path: string }): Metrics {
  mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
  const db = openSqlite(options.path, undefined);
  letShrink(db);
  db.exec('CREATE TABLE IF NOT EXISTS redo(batch INTEGER PRIMARY KEY, lines TEXT NOT NULL)');
  const catalog = openCatalog(db);
  const blocks = openBlocks(db);
  const redo = recover(db, catalog, blocks);
  let waiting: Waiting[] = [];
  let tidying: Promise<void> | undefined;

  const commit = () => {
    const batch = waiting;
    waiting = [];
    try {
      const lines = linesOf(batch, catalog);
      const ids = new Set(lines.map(([id]) => id));
      writeBatch(db, catalog, redo.newest + 1, ids, lines);
      redo.newest += 1;
      redo.bytes += lines.length * 64;
      for (const line of lines) apply(catalog, blocks, line, redo.newest);
      for (const one of batch) one.resolve();
    } catch (error) {
      for (const one of batch) one.reject(asFault(error));
    }
    if (redo.bytes > limits.metricRedoBytes) void tidy().catch(() => {});
  };
  const tidy = () => (tidying ??= tidyAll(db, catalog, blocks, redo, clock).finally(() => (tidying = undefined)));

  return {
    put: (samples) =>
      new Promise((resolve, reject) => {
        // All that arrived in this turn of the event loop shares one commit.
        if (waiting.length === 0) setImmediate(commit);
        waiting.push({ samples, resolve, reject });
      }),
    list: (filter) => catalog.list(filter),
    find: (scope, metric) => catalog.find(scope, metric),
    read: (series, span) => read(blocks, series, span),
    tidy,
    bytes: () => ['', '-wal'].reduce((sum, end) => sum + (statSync(options.path + end, { throwIfNoEntry: false })?.size ?? 0), 0),
    async close() {
      await tidying?.catch(() => {});
      if (waiting.length > 0) commit();
      db.close();
    },
  };
}

type Redo = { newest: number; bytes: number };

function recover(db: Sqlite, catalog: Catalog, blocks: Blocks): Redo {
  for (const [id, start] of blocks.newest()) catalog.touch(id, start);
  const redo = { newest: Number(db.first('SELECT max(applied) AS newest FROM blocks', [])?.['newest'] ?? 0), bytes: 0 };
  for (const line of db.all('SELECT batch, lines FROM redo ORDER BY batch', [])) {
    redo.newest = Math.max(redo.newest, Number(line['batch']));
    redo.bytes += String(line['lines']).length;
    for (const one of JSON.parse(String(line['lines'])) as Line[]) apply(catalog, blocks, one, Number(line['batch']));
  }
  return redo;
}

/** Throws where the series would be too many; what it made then is forgotten again. */
function linesOf(batch: Waiting[], catalog: Catalog): Line[] {
  const ids = new Set<number>();
  try {
    return batch.flatMap(({ samples }) =>
      samples.map(({ series, at, values: { count, sum, min, max, bins } }) => {
        const id = catalog.idOf(series);
        ids.add(id);
        const line: Line = [id, at - (at % MINUTE_MS), count, sum, min, max];
        if (bins !== undefined) line[6] = [...bins];
        return line;
      }),
    );
  } catch (error) {
    catalog.keep(ids, false);
    throw error;
  }
}

function writeBatch(db: Sqlite, catalog: Catalog, batch: number, ids: Set<number>, lines: Line[]): void {
  let committed = false;
  try {
    inTransaction(db, () => {
      catalog.store(ids);
      db.run('INSERT INTO redo VALUES (?, ?)', [batch, JSON.stringify(lines)]);
    });
    committed = true;
  } finally {
    catalog.keep(ids, committed);
  }
}

function apply(catalog: Catalog, blocks: Blocks, [id, at, count, sum, min, max, bins]: Line, batch: number): void {
  const values: StatisticSet = bins === undefined ? { count, sum, min, max } : { count, sum, min, max, bins: new Map(bins) };
  catalog.touch(id, at);
  blocks.add(id, at, values, batch);
}

function read(blocks: Blocks, series: readonly number[], { start, end, periodS }: Span): Bucket[] {
  const buckets = new Map<number, StatisticSet>();
  const periodMs = periodS * 1000;
  // Each day is kept in one period; what is kept in longer ones than are asked for isn't told, as in CloudWatch.
  for (const kept of RETENTION) {
    if (periodS % kept.periodS !== 0) continue;
    for (const id of series) {
      blocks.each(id, kept.periodS, start, end, (at, values) => {
        const bucket = start + Math.floor((at - start) / periodMs) * periodMs;
        buckets.set(bucket, together(buckets.get(bucket), values));
      });
    }
  }
  return [...buckets].map(([at, values]) => ({ at, values })).sort((a, b) => a.at - b.at);
}

async function tidyAll(db: Sqlite, catalog: Catalog, blocks: Blocks, redo: Redo, clock: Clock): Promise<void> {
  const { newest } = redo;
  const bytes = redo.bytes;
  await inSteps(db, () => blocks.flush(BLOCKS_AT_ONCE), blocks.settle);
  // Each block that lacked one of these is written now. What came meanwhile stays.
  db.run('DELETE FROM redo WHERE batch <= ?', [newest]);
  redo.bytes -= bytes;
  blocks.release(clock.now() - HOUR_MS / 4);
  await inSteps(db, () => blocks.join(DAYS_AT_ONCE, clock.now() - HOUR_MS));
  for (const [index, { periodS, keepMs }] of RETENTION.entries()) {
    const [coarser, before] = [RETENTION[index + 1], clock.now() - keepMs];
    if (coarser === undefined) blocks.expire(periodS, before);
    else await inSteps(db, () => blocks.coarsen(periodS, coarser.periodS, DAYS_AT_ONCE, before));
  }
  dropEmpty(db, catalog, blocks, clock.now());
  // What hours leave behind is for the hours to come; more than that goes back.
  await inSteps(db, () => giveBack(db));
}

const PAGES_AT_ONCE = 500;
const MOST_FREE_SHARE = 0.05;
const INCREMENTAL = 2;

const pragma = (db: Sqlite, name: string) => Number(Object.values(db.first(`PRAGMA ${name}`, []) ?? {})[0] ?? 0);

/** Lets `giveBack` work. A file that has something already (its header, at least) takes that only when it is written anew. */
function letShrink(db: Sqlite): void {
  if (pragma(db, 'auto_vacuum') !== INCREMENTAL) db.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM');
}

/** Gives back some free pages while they are more than a small part of the file. Returns whether there is more. */
function giveBack(db: Sqlite): boolean {
  const free = pragma(db, 'freelist_count');
  if (free <= pragma(db, 'page_count') * MOST_FREE_SHARE) return false;
  db.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`);
  return pragma(db, 'freelist_count') < free;
}

/** Series that have nothing any more, once they had something. */
function dropEmpty(db: Sqlite, catalog: Catalog, blocks: Blocks, now: number): void {
  const oldest = now - (RETENTION.at(-1)?.keepMs ?? 0) - DAY_MS;
  const newest = blocks.newest();
  const gone = catalog.all().filter(({ id, lastAt }) => lastAt > 0 && lastAt < oldest && !newest.has(id));
  if (gone.length > 0) inTransaction(db, () => catalog.drop(gone.map(({ id }) => id)));
}

/** Each step is a transaction of its own, and others have their turn between two. */
async function inSteps(db: Sqlite, step: () => boolean, settle?: (committed: boolean) => void): Promise<void> {
  for (let more = true; more;) {
    let committed = false;
    try {
      more = inTransaction(db, step);
      committed = true;
    } finally {
      settle?.(committed);
    }
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
}

function inTransaction<T>(db: Sqlite, run: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const value = run();
    db.exec('COMMIT');
    return value;
  } catch (error) {
    if (db.inTransaction()) db.exec('ROLLBACK');
    throw error;
  }
}
