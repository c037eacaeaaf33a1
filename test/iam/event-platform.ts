/** A front door with IAM whose events and schedules get to their targets, in one process and without a host, for tests. */
import { startDeliveriesLoop } from '#control/events/deliveries-loop.ts';
import { startEventsLoop } from '#control/events/loop.ts';
import { startSchedulesLoop } from '#control/events/schedules-loop.ts';
import { createEventSources, runTaskOf } from '#main/event-targets.ts';
import { openIamPlatform } from './platform.ts';

/** `webhooksTo`: ranges that API destinations may call beside what is open to them. */
export async function openEventPlatform(webhooksTo: string[] = []) {
  const platform = await openIamPlatform();
  const { store, clock, random, log, logs, identity, vault } = platform;
  const sources = createEventSources({
    store,
    clock,
    random,
    identity,
    logs,
    vault,
    runTask: runTaskOf({ store, clock, random }),
    keepMs: 3_600_000,
    webhooks: { allowed: webhooksTo, frontDoorPort: null },
  });
  const deps = { store, clock, random, log, sources };
  const making = startEventsLoop(deps, 'test');
  const bringing = startDeliveriesLoop(deps, 'test');
  const firing = startSchedulesLoop(deps, 'test');
  store.onChange(['changes'], () => making.look());
  store.onChange(['eventDeliveries'], () => bringing.look());
  store.onChange(['schedules'], () => firing.look());
  return {
    ...platform,
    /** Looks every 20 ms, for half a minute. */
    async until<T>(what: string, find: () => Promise<T | undefined> | T | undefined): Promise<T> {
      for (let tries = 0; tries < 1500; tries++) {
        const found = await find();
        if (found !== undefined) return found;
        await clock.sleep(20);
      }
      throw new Error(`never: ${what}`);
    },
    async close() {
      for (const loop of [making, bringing, firing]) await loop.stop();
      await platform.close();
    },
  };
}
