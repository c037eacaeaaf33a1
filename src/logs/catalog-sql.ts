/** Statements of the catalogue, prepared once, and changes that share a commit. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;
export type Sql = ReturnType<typeof catalogSql>;

export function catalogSql(db: DatabaseSync) {
  const prepared = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const known = prepared.get(text);
    if (known !== undefined) return known;
    const made = db.prepare(text);
    prepared.set(text, made);
    return made;
  };
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

  return {
    all: (text: string, ...values: SqlValue[]) => sql(text).all(...values) as SqlRow[],
    one: (text: string, ...values: SqlValue[]) => sql(text).get(...values) as SqlRow | undefined,
    run: (text: string, ...values: SqlValue[]) => sql(text).run(...values),
    /** Runs a change; resolves when it is on disk. Changes of one turn of the event loop share a commit. `fn` must not fail halfway. */
    change(fn: () => void): Promise<void> {
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
    },
    /** Resolves when every change so far is on disk. */
    settled: (): Promise<void> => pending?.promise ?? Promise.resolve(),
    /** Commits at once what waits for the turn's end. */
    commitNow,
  };
}
