/** Forgets what is past its time: stopped tasks, answered client tokens, secrets whose recovery window is over, and what is left of services and their deployments. */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { secretIdOf, type SecretRecord } from '#domain/secret.ts';
import type { Store, WriteTx } from '#store/types.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { expireServices } from './services/expiry.ts';

const TICK_MS = 60_000;
const EVENTS_LATE_MS = 600_000;

async function removeSecret(tx: WriteTx, secret: SecretRecord): Promise<void> {
  const { account, region } = secret.key;
  const versions = await tx.secretVersions.list({ account, region, secret: secretIdOf(secret) });
  for (const version of versions) await tx.secretVersions.delete(version.key);
  await tx.secrets.delete(secret.key);
}

export function startHousekeepingLoop(deps: { store: Store; clock: Clock; log: Log; events?: unknown }, holder: string): Loop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'housekeeping', holder);
  /** When the services are looked over again. */
  let servicesAt = 0;
  /** One small transaction after the other, so that nobody waits long behind them; how many rows went. */
  const inBatches = async (forget: () => Promise<number>) => {
    let total = 0;
    for (;;) {
      const gone = await forget();
      total += gone;
      if (gone < limits.expiryBatch) return total;
    }
  };
  return startLoop(deps, {
    name: 'housekeeping',
    tickMs: TICK_MS,
    async run() {
      const now = clock.now();
      const old = { stoppedBefore: now - limits.stoppedTaskKeepMs, limit: limits.expiryBatch };
      const tasks = await inBatches(() =>
        lease.write(async (tx) => {
          // An event of it may still have to be made, from its row.
          if (deps.events !== undefined && (await tx.changes.list(1)).some(({ at }) => at < now - EVENTS_LATE_MS)) return 0;
          const expired = await tx.tasks.list(old);
          for (const task of expired) await tx.tasks.delete(task.key);
          return expired.length;
        }),
      );
      const tokens = await inBatches(() => lease.write((tx) => tx.expireClientTokens(now, limits.expiryBatch)));
      const secrets = await lease.write(async (tx) => {
        const due = (await tx.secrets.list({})).filter(({ deletion }) => deletion !== null && deletion.due <= now);
        for (const secret of due) await removeSecret(tx, secret);
        return due.length;
      });
      const services = now < servicesAt ? { services: 0, deployments: 0, revisions: 0 } : await expireServices(store, lease, now);
      if (now >= servicesAt) servicesAt = now + limits.serviceSweepMs;
      const counts = { tasks, tokens, secrets, ...services };
      if (Object.values(counts).some((count) => count > 0)) log.info('housekeeping', counts);
    },
  });
}
