/** The store on SQLite (`node:sqlite`), embedded in the control plane. */
import { createGroupCommit } from './group-commit.ts';
import type { CommitWatch } from './group-commit.ts';
import { createLiveSlots } from './live-slots.ts';
import { migrate } from './schema.ts';
import { openSqlite } from './sqlite.ts';
import { openTransaction } from './transaction.ts';
import type { Store, TableName } from './types.ts';

export type SqliteStoreOptions = {
  /** Path of the database file, or `:memory:`. Its directory must be there. */
  path: string;
  /** Bound on the size of the file; past it a write fails as on a full disk. */
  maxBytes?: number;
  /** Ms since the epoch: when something happened, as far as the store notes it. */
  now?: () => number;
  watch?: CommitWatch;
};

/**
 * Opens (and makes, and brings up to date) the database. Throws Fault Unavailable when the directory is missing, not writable or full,
 * Internal when the file is damaged, Unsupported when a newer berth wrote it.
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const db = openSqlite(options.path, options.maxBytes);
  try {
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  const listeners = new Set<{ tables: Set<TableName>; fn: () => void }>();
  const order = createGroupCommit(
    { db, live: createLiveSlots(db), now: options.now ?? (() => 0) },
    (tables) => {
      for (const listener of listeners) {
        if (!listener.tables.isDisjointFrom(tables)) queueMicrotask(listener.fn);
      }
    },
    options.watch,
  );
  return {
    read: (fn) => order.read((session) => fn(openTransaction(session))),
    write: (fn) => order.write((session) => fn(openTransaction(session))),
    onChange(tables, fn) {
      const listener = { tables: new Set(tables), fn };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      listeners.clear();
      await order.close();
      db.close();
    },
  };
}
