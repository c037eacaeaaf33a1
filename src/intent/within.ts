/** Wishes that are parts of a greater one: all of it is one transaction, and a part that is refused undoes the others. */
import type { WriteTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

/** What to give to other functions of this module while the transaction is open. */
export function within(deps: IntentDeps, tx: WriteTx): IntentDeps {
  const inside = <T>(fn: (tx: WriteTx) => Promise<T>): Promise<T> => fn(tx);
  return { ...deps, store: { read: inside, write: inside } };
}
