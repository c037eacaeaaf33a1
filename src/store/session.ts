/** One transaction's hold on the database: closed with it, and it remembers which tables it wrote. */
import { Fault } from '#base/fault.ts';
import type { Sqlite } from './sqlite.ts';
import type { LiveSlots } from './live-slots.ts';
import type { TableName, TaskSlot } from './types.ts';

export type Session = {
  /** For reading. Throws once the transaction is over. */
  db(): Sqlite;
  /** For writing to one table. Throws in a read transaction. */
  writing(table: TableName): Sqlite;
  written: Set<TableName>;
  /** The short of every live task, as this transaction sees them. */
  liveSlots(): TaskSlot[];
  /** To be told with each write of a task's row. */
  wroteTask(id: string): void;
  /** Ms since the epoch, for what the store notes itself; 0 where nobody gave it a clock. */
  now(): number;
  end(): void;
};

/** What all transactions of a database share. */
export type Shared = { db: Sqlite; live: LiveSlots; now: () => number };

export function openSession({ db, live, now }: Shared, mode: 'read' | 'write'): Session {
  let over = false;
  const written = new Set<TableName>();
  const use = () => {
    if (over) throw new Fault('Internal', 'a transaction was used after its end: await every call inside it');
    return db;
  };
  return {
    written,
    now,
    db: use,
    writing(table) {
      if (mode === 'read') throw new Fault('Internal', `a read transaction may not write ${table}`);
      written.add(table);
      return use();
    },
    liveSlots() {
      use();
      return live.all();
    },
    wroteTask: live.wrote,
    end() {
      over = true;
    },
  };
}
