/** Builds berth's own registry, and sweeps it. */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { startLoop } from '#control/loop.ts';
import { createRegistry, createUpstream, openRegistryFiles } from '#registry/index.ts';
import type { Store } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';
import { upstreamAuth } from './upstream-auth.ts';

/** Lifecycle policies are acted on when one is set, and with the sweep. */
export async function openRegistry(deps: { store: Store; clock: Clock; random: Random; log: Log; vault: Vault }, dir: string) {
  const { store, clock, vault } = deps;
  const files = await openRegistryFiles(dir);
  const upstream = createUpstream(clock, { auth: upstreamAuth(store, vault), proxyEnv: process.env });
  const registry = createRegistry({ ...deps, files, upstream });
  let collectAt = 0;
  let shortAt = 0;
  const sweep = startLoop(deps, {
    name: 'registry',
    tickMs: limits.registrySweepMs,
    async run() {
      await registry.applyLifecycles();
      if (clock.now() < (files.room.isShort() ? shortAt : collectAt)) return;
      await registry.collectGarbage();
      collectAt = clock.now() + limits.registrySweepMs / 2;
      shortAt = clock.now() + limits.registryShortSweepMs;
    },
  });
  files.room.onShort(() => sweep.look());
  const stopLooking = [
    store.onChange(['ecrRepositories'], () => sweep.look()),
    // Who was told to delete images for want of room has it by the next push.
    store.onChange(['ecrRepositories', 'ecrImages'], () => {
      if (!files.room.isShort()) return;
      shortAt = 0;
      sweep.look();
    }),
  ];
  return {
    registry,
    async close() {
      for (const stop of stopLooking) stop();
      await sweep.stop();
      upstream.close();
    },
  };
}
