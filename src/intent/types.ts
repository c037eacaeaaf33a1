/** What every intent function needs: the database, time and randomness. */
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Store } from '#store/types.ts';

export type IntentDeps = { store: Pick<Store, 'read' | 'write'>; clock: Clock; random: Random };
