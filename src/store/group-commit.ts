/**
 * The order of transactions. Reads run side by side while nobody writes. Writes that wait together run one after the other inside one
 * SQLite transaction, each in a savepoint of its own, and are answered after its one sync to disk.
 */
import { Fault, asFault } from '#base/fault.ts';
import { openSession } from './session.ts';
import type { Session, Shared } from './session.ts';
import type { Sqlite } from './sqlite.ts';
import type { TableName } from './types.ts';

type Waiting = {
  run(session: Session): Promise<unknown>;
  resolve(value: unknown): void;
  reject(fault: Fault): void;
};
/** What one function of a batch came to; it is told only after the commit. */
type Outcome = { ok: true; value: unknown; written: Set<TableName> } | { ok: false; fault: Fault };

export type GroupCommit = {
  read<T>(run: (session: Session) => Promise<T>): Promise<T>;
  write<T>(run: (session: Session) => Promise<T>): Promise<T>;
  /** Lets what waits finish, then refuses everything. */
  close(): Promise<void>;
};

/** `watch` is told that a commit begins; what it gives, that it is over and how many writes it was for. */
export type CommitWatch = () => (writes: number) => void;

export function createGroupCommit(shared: Shared, committed: (tables: Set<TableName>) => void, watch?: CommitWatch): GroupCommit {
  let waiting: Waiting[] = [];
  let readers = 0;
  let writing = false;
  let scheduled = false;
  let closed = false;
  let wakers: (() => void)[] = [];

  const wake = () => {
    const all = wakers;
    wakers = [];
    for (const waker of all) waker();
  };
  const untilWoken = () => new Promise<void>((resolve) => void wakers.push(resolve));
  const untilReadable = async () => {
    for (;;) {
      if (!writing) return;
      await untilWoken();
    }
  };
  const assertOpen = () => {
    if (closed) throw new Fault('Unavailable', 'the database is closed');
  };

  // setImmediate: all that arrived in this turn of the event loop shares one commit.
  const schedule = (): void => {
    if (scheduled || writing) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (readers > 0) return; // the last reader schedules again
      void drain();
    });
  };
  const drain = async () => {
    writing = true;
    const batch = waiting;
    waiting = [];
    const done = watch?.();
    await runBatch(shared, batch, committed);
    done?.(batch.length);
    writing = false;
    if (waiting.length > 0) schedule();
    wake();
  };

  return {
    async read(run) {
      assertOpen();
      await untilReadable();
      readers++;
      const session = openSession(shared, 'read');
      try {
        return await run(session);
      } finally {
        session.end();
        readers--;
        if (readers === 0) {
          if (waiting.length > 0) schedule();
          wake();
        }
      }
    },
    async write(run) {
      assertOpen();
      return await new Promise((resolve, reject) => {
        waiting.push({ run, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      });
    },
    async close() {
      closed = true;
      const busy = () => readers > 0 || writing || scheduled || waiting.length > 0;
      while (busy()) await untilWoken();
    },
  };
}

async function runBatch(shared: Shared, batch: Waiting[], committed: (tables: Set<TableName>) => void): Promise<void> {
  const { db } = shared;
  const outcomes: Outcome[] = [];
  try {
    db.exec('BEGIN IMMEDIATE');
    for (const one of batch) outcomes.push(await runOne(shared, one));
    db.exec('COMMIT');
    shared.live.settled();
  } catch (error) {
    // Nothing of the batch is on disk: whatever each of them saw, none of it holds.
    if (db.inTransaction()) rollback(db);
    shared.live.undone();
    const fault = asFault(error);
    for (const one of batch) one.reject(fault);
    return;
  }
  const tables = new Set<TableName>();
  for (const [index, one] of batch.entries()) {
    const outcome = outcomes[index] as Outcome;
    if (outcome.ok) {
      for (const table of outcome.written) tables.add(table);
      one.resolve(outcome.value);
    } else one.reject(outcome.fault);
  }
  if (tables.size > 0) committed(tables);
}

async function runOne(shared: Shared, one: Waiting): Promise<Outcome> {
  const { db } = shared;
  const session = openSession(shared, 'write');
  db.exec('SAVEPOINT one');
  try {
    const value = await one.run(session);
    session.end();
    db.exec('RELEASE one');
    return { ok: true, value, written: session.written };
  } catch (error) {
    session.end();
    // SQLite gives up the whole transaction by itself on a full disk and the like: then nobody's work stands.
    if (!db.inTransaction()) throw error;
    db.exec('ROLLBACK TO one; RELEASE one');
    shared.live.undone();
    return { ok: false, fault: asFault(error) };
  }
}

function rollback(db: Sqlite): void {
  try {
    db.exec('ROLLBACK');
  } catch {
    // The transaction is gone already; the fault that led here is the one to tell.
  }
}
