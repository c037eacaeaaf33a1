/** The connection to SQLite: how it is opened, prepared statements kept by their text, and SQLite's errors as Faults. */
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { Fault, asFault } from '#base/fault.ts';

export type Cell = SQLInputValue;
export type Line = Record<string, unknown>;

export type Sqlite = {
  exec(sql: string): void;
  run(sql: string, cells: Cell[]): number;
  first(sql: string, cells: Cell[]): Line | undefined;
  all(sql: string, cells: Cell[]): Line[];
  inTransaction(): boolean;
  close(): void;
};

/**
 * Opens a database with a write-ahead log that is synced at every commit (https://sqlite.org/wal.html, `PRAGMA synchronous`).
 * `maxBytes` bounds the file. Throws Fault Unavailable when it can't be opened or the disk is full, Internal when it is damaged.
 */
export function openSqlite(path: string, maxBytes: number | undefined): Sqlite {
  const db = guarded(path, () => new DatabaseSync(path, { timeout: 5000 }));
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const made = db.prepare(sql);
    statements.set(sql, made);
    return made;
  };
  guarded(path, () => {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864');
    if (maxBytes !== undefined) {
      const pageBytes = Number(db.prepare('PRAGMA page_size').get()?.['page_size'] ?? 4096);
      db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`);
    }
  });
  return {
    exec: (sql) => guarded(path, () => db.exec(sql)),
    run: (sql, cells) => guarded(path, () => Number(prepared(sql).run(...cells).changes)),
    first: (sql, cells) => guarded(path, () => prepared(sql).get(...cells)),
    all: (sql, cells) => guarded(path, () => prepared(sql).all(...cells)),
    inTransaction: () => db.isTransaction,
    close() {
      statements.clear();
      if (db.isOpen) guarded(path, () => db.close());
    },
  };
}

function guarded<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw sqliteFault(path, error);
  }
}

/** Primary result codes: https://sqlite.org/rescode.html; the low byte of an extended code. */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
/** The shared-memory file of the log could not grow: a full disk by another name. */
const SQLITE_IOERR_SHMSIZE = 4874;

/** What SQLite threw, as a Fault that says what to do. */
export function sqliteFault(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== 'number') return asFault(error);
  const text = error instanceof Error ? error.message : String(error);
  const options = { details: { sqlite: code }, cause: error };
  if (code === SQLITE_IOERR_SHMSIZE) return new Fault('Unavailable', fullText(path), options);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return new Fault('Unavailable', fullText(path), options);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new Fault('Internal', `the database ${path} is damaged (${text}): put back a copy, or move it away to begin anew`, options);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return new Fault(
        'Unavailable',
        `the database ${path} can't be opened for writing (${text}): check the directory and who owns it`,
        options,
      );
    case SQLITE_IOERR:
      return new Fault('Unavailable', `the disk under ${path} fails (${text})`, options);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return new Fault('Unavailable', `the database ${path} is held by another process`, options);
    default:
      return new Fault('Internal', `the database ${path} refused a statement: ${text}`, options);
  }
}

function fullText(path: string): string {
  return `the state directory is full: ${path} can't grow; nothing of this call was kept, free some space and try again`;
}
