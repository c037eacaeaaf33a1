/**
 * Finishes what a new master key began: every value in the database gets its data key wrapped by the current one, a batch a transaction, and then
 * the old master keys go. Level-triggered: what was wrapped is told by the values themselves, so it may be cut off at any instruction.
 */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Store } from '#store/types.ts';
import type { KeyInfo, Vault } from '#vault/index.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';

const TICK_MS = 10 * 60_000;

export type VaultLoopDeps = { store: Store; clock: Clock; log: Log; vault: Vault };

export function startVaultLoop(deps: VaultLoopDeps, holder: string): Loop {
  const { store, clock, log, vault } = deps;
  const lease = createLease(store, clock, 'vault', holder);
  const isOver = ({ retiredAt }: KeyInfo) => retiredAt !== null && retiredAt + limits.sessionTokenMaxMs < clock.now();

  const rewrapAll = async (old: KeyInfo): Promise<void> => {
    let total = 0;
    for (;;) {
      const done = await lease.write((tx) => tx.rewrapSealed(old.prefix, limits.rewrapBatch, vault.rewrap));
      total += done;
      if (done < limits.rewrapBatch) break;
    }
    if (total > 0) log.info('vault.rewrapped', { masterKey: old.id, values: total });
  };
  /** Tokens of sessions are wrapped too, and are kept by those who got them: a key goes when the last of them has expired. */
  const forget = async (old: KeyInfo): Promise<void> => {
    const tables = await store.read((tx) => tx.tablesWith(old.prefix));
    if (tables.length > 0) return log.warn('vault.key-in-use', { masterKey: old.id, tables });
    vault.forget(old.id);
    log.info('vault.key-removed', { masterKey: old.id });
  };

  return startLoop(deps, {
    name: 'vault',
    tickMs: TICK_MS,
    async run() {
      for (const key of vault.keys()) {
        if (key.retiredAt === null) continue;
        await rewrapAll(key);
        if (isOver(key)) await forget(key);
      }
    },
  });
}
