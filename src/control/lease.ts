/** A loop's right to act: a row with a fencing token, taken anew with every write, so that a holder that lost it can't write. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Store, WriteTx } from '#store/types.ts';

export type Lease = {
  /** One write transaction under the lease. Throws Fault Unavailable while another control plane holds it. */
  write<T>(fn: (tx: WriteTx, fence: number) => Promise<T>): Promise<T>;
};

export function createLease(store: Store, clock: Clock, name: string, holder: string): Lease {
  return {
    write: (fn) =>
      store.write(async (tx) => {
        const row = await tx.takeLease(name, holder, clock.now(), limits.leaseMs);
        if (row === undefined) throw new Fault('Unavailable', `another control plane holds the lease '${name}' of this store`);
        return await fn(tx, row.fence);
      }),
  };
}
