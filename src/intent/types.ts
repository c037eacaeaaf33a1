/** What every intent function needs: the database, time and randomness. */
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Store } from '#store/types.ts';

export type IntentDeps = {
  store: Pick<Store, 'read' | 'write'>;
  clock: Clock;
  random: Random;
  /** The host's machine may have other berths, which choose ranges too; absent in tests. */
  ranges?: RangeKeeper;
};

export type RangeKeeper = {
  /** The range is this berth's before a VPC that has it is written down. Throws Conflict when another berth has it, Unavailable while no host is there to say so. */
  claim(cidr: string): Promise<void>;
};
