/**
 * The blocks of all series: those that are written to are held in memory until `flush`, the others are on disk. A minute is in the block of its hour until its day
 * is joined, then in that of its day. A day's block of minutes is replaced by one of 5 minutes, and that by one of hours, as it ages: each day is there once.
 */
import type { Sqlite } from '#store/sqlite.ts';
import { addTo, at, decodeColumns, emptyColumns, encodeColumns } from './columns.ts';
import type { Columns } from './columns.ts';
import type { StatisticSet } from './types.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
const MINUTE_S = 60;
const CREATE = `CREATE TABLE IF NOT EXISTS blocks(
  series INTEGER NOT NULL, period INTEGER NOT NULL, start INTEGER NOT NULL, span INTEGER NOT NULL, applied INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (series, period, start));
  CREATE INDEX IF NOT EXISTS days ON blocks(period, start) WHERE span = 86400000;
  CREATE INDEX IF NOT EXISTS hours ON blocks(start, series) WHERE period = 60 AND span = 3600000`;

/**
 * `applied`: the number of the newest batch that was in it when it was read, so that a batch is never added twice; `newest`: of those that are in it now, which
 * is what is written. They are two, since a batch may have several lines for one block. Times in ms.
 */
type Block = { start: number; span: number; applied: number; newest: number; columns: Columns; dirty: boolean };

export type Blocks = {
  /** Adds to the minute at `at`, unless the block has this batch already. */
  add(series: number, at: number, values: StatisticSet, batch: number): void;
  /** Calls `see` for each period of the series that has data and begins within [start, end), in order of time. */
  each(series: number, periodS: number, start: number, end: number, see: (at: number, values: StatisticSet) => void): void;
  /** Writes about `some` blocks of what only memory has, within a transaction; `settle` says how that ended. Returns whether there is more. */
  flush(some: number): boolean;
  settle(committed: boolean): void;
  /** Lets go of written blocks that end before `over`. */
  release(over: number): void;
  /** Joins the hours of days that end before `before`, of `some` days of series. Returns whether there is more. */
  join(some: number, before: number): boolean;
  /** Replaces blocks of days of one period, in seconds, that end before `before` by blocks of a longer one, `some` of them. Returns whether there is more. */
  coarsen(from: number, to: number, some: number, before: number): boolean;
  /** Drops what of this period began before `before`. */
  expire(periodS: number, before: number): void;
  /** Start of the newest block of each series, in ms. */
  newest(): Map<number, number>;
};

export function openBlocks(db: Sqlite): Blocks {
  db.exec(CREATE);
  const open = new Map<number, Block[]>();
  let written: Block[] = [];

  const load = (line: Record<string, unknown>, periodS: number): Block => {
    const [start, span] = [Number(line['start']), Number(line['span'])];
    const columns = decodeColumns(line['data'] as Uint8Array, span / (periodS * 1000));
    const applied = Number(line['applied']);
    return { start, span, applied, newest: applied, columns, dirty: false };
  };
  const blockAt = (series: number, time: number): Block => {
    const opened = open.get(series) ?? [];
    const held = opened.find(({ start, span }) => start <= time && time < start + span);
    if (held !== undefined) return held;
    const line = db.first('SELECT * FROM blocks WHERE series = ? AND period = 60 AND start <= ? ORDER BY start DESC LIMIT 1', [
      series,
      time,
    ]);
    const there = line !== undefined && Number(line['start']) + Number(line['span']) > time;
    const block = there ? load(line, MINUTE_S) : fresh(time - (time % HOUR_MS));
    open.set(
      series,
      [...opened, block].sort((a, b) => a.start - b.start),
    );
    return block;
  };
  const write = (series: number, periodS: number, { start, span, newest, columns }: Block) => {
    db.run('INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?)', [series, periodS, start, span, newest, encodeColumns(columns)]);
  };
  return {
    add(series, time, values, batch) {
      const block = blockAt(series, time);
      if (batch <= block.applied) return;
      addTo(block.columns, Math.floor((time - block.start) / MINUTE_MS), values);
      block.newest = batch;
      block.dirty = true;
    },
    each(series, periodS, start, end, see) {
      const lines = db.all('SELECT * FROM blocks WHERE series = ? AND period = ? AND start > ? AND start < ? ORDER BY start', [
        series,
        periodS,
        start - DAY_MS,
        end,
      ]);
      const held = periodS === MINUTE_S ? (open.get(series) ?? []) : [];
      const stored = lines.map((line) => ({ start: Number(line['start']), line }));
      const all = [
        ...stored.filter((one) => !held.some((block) => block.start === one.start)),
        ...held.map((block) => ({ start: block.start, block })),
      ];
      for (const one of all.sort((a, b) => a.start - b.start)) {
        const block = 'block' in one ? one.block : load(one.line, periodS);
        eachSlot(block, periodS * 1000, start, end, see);
      }
    },
    flush(some) {
      for (const [series, blocks] of open) {
        for (const block of blocks.filter(({ dirty }) => dirty)) {
          if (written.length >= some) return true;
          write(series, MINUTE_S, block);
          block.dirty = false;
          written.push(block);
        }
      }
      return false;
    },
    settle(committed) {
      for (const block of written) block.dirty ||= !committed;
      written = [];
    },
    release(over) {
      for (const [series, blocks] of open) {
        const kept = blocks.filter(({ dirty, start, span }) => dirty || start + span > over);
        if (kept.length > 0) open.set(series, kept);
        else open.delete(series);
      }
    },
    join(some, before) {
      const due = db.all(
        `SELECT DISTINCT series, start - start % ${DAY_MS} AS day FROM blocks WHERE period = 60 AND span = 3600000 AND start < ? LIMIT ?`,
        [before - (before % DAY_MS), some],
      );
      let joins = 0;
      for (const line of due) {
        const [series, day] = [Number(line['series']), Number(line['day'])];
        if ((open.get(series) ?? []).some(({ start }) => start - (start % DAY_MS) === day)) continue;
        const range = [series, day, day + DAY_MS];
        const hours = db.all('SELECT * FROM blocks WHERE series = ? AND period = 60 AND start >= ? AND start < ? ORDER BY start', range);
        const joined: Block = { ...fresh(day), span: DAY_MS, columns: emptyColumns(DAY_MS / MINUTE_MS) };
        for (const hour of hours.map((stored) => load(stored, MINUTE_S))) {
          joined.newest = Math.max(joined.newest, hour.newest);
          eachSlot(hour, MINUTE_MS, day, day + DAY_MS, (time, values) => addTo(joined.columns, (time - day) / MINUTE_MS, values));
        }
        db.run('DELETE FROM blocks WHERE series = ? AND period = 60 AND start >= ? AND start < ?', range);
        write(series, MINUTE_S, joined);
        joins++;
      }
      // What is written to just now is left for another time.
      return joins > 0 && due.length === some;
    },
    coarsen(from, to, some, before) {
      const days = db.all('SELECT * FROM blocks WHERE period = ? AND span = ? AND start <= ? LIMIT ?', [
        from,
        DAY_MS,
        before - DAY_MS,
        some,
      ]);
      for (const line of days) {
        const [series, day] = [Number(line['series']), load(line, from)];
        write(series, to, { ...day, columns: rolledUp(day.columns, to / from) });
        db.run('DELETE FROM blocks WHERE series = ? AND period = ? AND start = ?', [series, from, day.start]);
      }
      return days.length === some;
    },
    expire: (periodS, before) => void db.run('DELETE FROM blocks WHERE period = ? AND start + span <= ?', [periodS, before]),
    newest: () =>
      new Map(
        db
          .all('SELECT series, max(start) AS start FROM blocks GROUP BY series', [])
          .map((line) => [Number(line['series']), Number(line['start'])]),
      ),
  };
}

function fresh(start: number): Block {
  return { start, span: HOUR_MS, applied: 0, newest: 0, columns: emptyColumns(HOUR_MS / MINUTE_MS), dirty: false };
}

function eachSlot(block: Block, periodMs: number, start: number, end: number, see: (at: number, values: StatisticSet) => void): void {
  for (let slot = Math.max(0, Math.ceil((start - block.start) / periodMs)); slot < block.columns.slots; slot++) {
    const time = block.start + slot * periodMs;
    if (time >= end) return;
    const values = at(block.columns, slot);
    if (values !== undefined) see(time, values);
  }
}

function rolledUp(finer: Columns, factor: number): Columns {
  const columns = emptyColumns(finer.slots / factor);
  for (let slot = 0; slot < finer.slots; slot++) {
    const values = at(finer, slot);
    if (values !== undefined) addTo(columns, Math.floor(slot / factor), values);
  }
  return columns;
}
