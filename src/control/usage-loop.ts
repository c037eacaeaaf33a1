/**
 * The part of the ledger of usage that no transaction of a task or volume writes: what file systems held, hour by hour, and the end of what is older than it is
 * kept. An entry begins where the last one ended, so that however often this is killed nothing counts twice or is missing.
 */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { fileSystemBytes, fileSystemUsage } from '#domain/usage.ts';
import type { Store, WriteTx } from '#store/types.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';

const TICK_MS = 60_000;

export function startUsageLoop(deps: { store: Store; clock: Clock; log: Log }, holder: string): Loop {
  const { store, clock } = deps;
  const lease = createLease(store, clock, 'usage', holder);
  return startLoop(deps, {
    name: 'usage',
    tickMs: TICK_MS,
    async run() {
      const systems = await store.read((tx) => tx.fileSystems.list({}));
      if (systems.length > 0) await lease.write((tx) => meter(tx, clock.now()));
      const before = clock.now() - limits.usageKeepMs;
      for (;;) {
        const old = await store.read((tx) => tx.usage.hasBefore(before));
        if (!old) return;
        await lease.write((tx) => tx.usage.expire(before, limits.expiryBatch));
      }
    },
  });
}

/** One whose size nobody tells (its host is away) is left for later. */
async function meter(tx: WriteTx, now: number): Promise<void> {
  const hosts = await tx.hosts.list({});
  for (const system of await tx.fileSystems.list({})) {
    const bytes = fileSystemBytes(hosts, system.key.id);
    const from = (await tx.usage.lastEnd('fileSystem', system.key.id)) ?? system.createdAt;
    if (bytes !== undefined && now - from >= limits.fileSystemUsageMs) await tx.usage.add(fileSystemUsage(system, bytes, from, now));
  }
}
