/**
 * Which berth of a machine has which range for a VPC: each is routed to one place only, and a VPC that has no task yet has no route that others could see. One
 * small database for all of them, since SQLite's lock goes with its process, however that ends.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { overlaps, parseCidr } from '#domain/cidr.ts';

export type RangeClaims = {
  /** Idempotent. Throws Conflict, with whose it is, when another berth of this machine has a range that overlaps. */
  claim(cidr: string): Promise<void>;
  /** These are this berth's ranges: others are given up, but for what was claimed only now, which may still have to be written down. Answers those that others have. */
  keep(cidrs: readonly string[]): Promise<string[]>;
  /** Ranges of the other berths of this machine. */
  others(): Promise<string[]>;
};

type Claim = { cidr: string; state: string };

/** How long a choice may take from its claim until it stands in a database. */
const SETTLES_MS = 600_000;
/** For how long another's transaction, of a millisecond, is waited for. */
const BUSY_MS = 5_000;

/** `path`: the machine's database, the same for all. `state`: the real path of this berth's state directory. */
export function openRangeClaims(clock: Clock, path: string, state: string): RangeClaims {
  /** In a transaction of its own, alone on the machine. A berth that is down keeps its ranges for as long as its state directory is there. */
  const within = async <T>(work: (db: DatabaseSync, others: Claim[]) => T): Promise<T> => {
    // At the first use: a host agent that chooses nothing doesn't need it.
    const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(path, { timeout: BUSY_MS });
    try {
      db.exec(
        'PRAGMA synchronous = OFF; BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS ranges (cidr TEXT, state TEXT, at INTEGER, PRIMARY KEY (cidr, state))',
      );
      const foreign = db.prepare('SELECT cidr, state FROM ranges WHERE state <> ? ORDER BY cidr').all(state) as Claim[];
      const gone = foreign.filter((one) => !existsSync(join(one.state, 'config.json')));
      for (const one of gone) db.prepare('DELETE FROM ranges WHERE state = ?').run(one.state);
      const result = work(
        db,
        foreign.filter((one) => !gone.includes(one)),
      );
      db.exec('COMMIT');
      return result;
    } finally {
      // What was not committed is rolled back.
      db.close();
    }
  };
  const take = (db: DatabaseSync, others: readonly Claim[], cidr: string): Claim | undefined => {
    const clash = others.find((other) => overlaps(parseCidr(other.cidr), parseCidr(cidr)));
    if (clash === undefined) db.prepare('INSERT OR IGNORE INTO ranges VALUES (?, ?, ?)').run(cidr, state, clock.now());
    return clash;
  };
  return {
    async claim(cidr) {
      const clash = await within((db, others) => take(db, others, cidr));
      if (clash === undefined) return;
      throw new Fault('Conflict', `The range ${cidr} overlaps ${clash.cidr}, which the berth of ${clash.state} on this machine has.`);
    },
    keep: (cidrs) =>
      within((db, others) => {
        const own = db.prepare('SELECT cidr FROM ranges WHERE state = ? AND at < ?').all(state, clock.now() - SETTLES_MS) as Claim[];
        const over = own.filter(({ cidr }) => !cidrs.includes(cidr));
        for (const { cidr } of over) db.prepare('DELETE FROM ranges WHERE cidr = ? AND state = ?').run(cidr, state);
        return cidrs.filter((cidr) => take(db, others, cidr) !== undefined);
      }),
    others: () => within((_db, others) => others.map(({ cidr }) => cidr)),
  };
}
