/** File systems that were deleted: each host is told until it says that nothing of their files is left. Writer of `fileSystemDeletions.observed`. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { hostOps } from '#link/operations.ts';
import type { Store } from '#store/types.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { HostCalls } from './types.ts';

/** How often it is asked whether a large one is gone, and what failed is tried again. */
const TICK_MS = 15_000;

export function startFileSystemsLoop(deps: { store: Store; clock: Clock; log: Log }, hosts: HostCalls, holder: string): Loop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'fileSystems', holder);
  const isGone = async (hostId: string, id: string): Promise<boolean> => {
    try {
      const answer = await hosts.request(hostId, hostOps.fileSystemRemove, { id }, { timeoutMs: limits.volumeCallMs });
      return (answer as { gone: boolean }).gone;
    } catch (error) {
      log.warn('filesystem-remove', { hostId, id, reason: asFault(error).message });
      return false;
    }
  };
  return startLoop(deps, {
    name: 'file-systems',
    tickMs: TICK_MS,
    async run() {
      const deletions = await store.read((tx) => tx.fileSystemDeletions.list({}));
      if (deletions.length === 0) return;
      const known = (await store.read((tx) => tx.hosts.list({}))).map(({ key }) => key.hostId);
      const connected = hosts.connected();
      for (const { key, observed } of deletions) {
        const goneFrom = new Set(observed.goneFrom);
        for (const hostId of known) {
          if (!goneFrom.has(hostId) && connected.includes(hostId) && (await isGone(hostId, key.id))) goneFrom.add(hostId);
        }
        if (goneFrom.size === observed.goneFrom.length && known.some((hostId) => !goneFrom.has(hostId))) continue;
        await lease.write(async (tx) => {
          const present = await tx.fileSystemDeletions.get(key);
          if (present === undefined) return;
          // A host that came meanwhile may have files of it, too.
          const all = (await tx.hosts.list({})).every((host) => goneFrom.has(host.key.hostId));
          if (all) await tx.fileSystemDeletions.delete(key);
          else await tx.fileSystemDeletions.setObserved(key, { goneFrom: [...goneFrom].toSorted() }, present.revision);
        });
      }
    },
  });
}
