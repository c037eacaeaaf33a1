/**
 * Brings events to their targets: those of one target one batch after the other, those of several side by side, so that one that hangs holds up no other. What is on its
 * way is a row until it arrived or was given up; killed in between, the same is tried again.
 */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { Delivery } from '#domain/event.ts';
import { afterTry } from '#plan/event-rules.ts';
import type { Outcome } from '#plan/event-rules.ts';
import type { Store } from '#store/types.ts';
import { noteAction } from '../alarm-history.ts';
import { createLease } from '../lease.ts';
import { startLoop } from '../loop.ts';
import type { Loop } from '../loop.ts';
import type { EventSources } from './types.ts';

export type DeliveriesLoopDeps = { store: Store; clock: Clock; random: Random; log: Log; sources: EventSources };

export function startDeliveriesLoop(deps: DeliveriesLoopDeps, holder: string): Loop {
  const { store, clock, log, sources, random } = deps;
  const lease = createLease(store, clock, 'deliveries', holder);
  const busy = new Map<string, Promise<void>>();
  let nextAt: number | undefined;

  const settle = async (tried: readonly Delivery[], outcomes: readonly Outcome[]) => {
    const now = clock.now();
    await lease.write(async (tx) => {
      for (const [index, delivery] of tried.entries()) {
        const outcome = outcomes[index] ?? { ok: false, again: true, code: 'INTERNAL_ERROR', message: 'no outcome' };
        const after = afterTry(delivery, outcome, now, random.fraction());
        if (!after.done) {
          await tx.eventDeliveries.put(after.delivery);
          continue;
        }
        await tx.eventDeliveries.delete(delivery.id);
        if (after.dead !== null) await tx.eventDeliveries.put(after.dead);
        if (delivery.alarm !== null) await noteAction(tx, delivery, outcome, now);
      }
    });
    for (const [index, delivery] of tried.entries()) {
      const outcome = outcomes[index];
      if (outcome?.ok === false) log.warn('event-not-delivered', { source: delivery.sourceArn, target: delivery.target.arn, again: outcome.again, attempt: delivery.attempts + 1, reason: outcome.message }); // prettier-ignore
    }
  };

  const attempt = async (deliveries: readonly Delivery[]): Promise<Outcome[]> => {
    try {
      return await sources.deliver(deliveries);
    } catch (error) {
      const { code, message } = asFault(error);
      return deliveries.map(() => ({ ok: false, again: true, code, message }));
    }
  };

  const serve = (lane: string, batch: readonly Delivery[]) => {
    const work = async () => settle(batch, await attempt(batch));
    const ended = work()
      .catch((error: unknown) => log.warn('event-deliveries', { reason: asFault(error).message }))
      .finally(() => {
        busy.delete(lane);
        loop.look();
      });
    busy.set(lane, ended);
  };

  const loop: Loop = startLoop(deps, {
    name: 'deliveries',
    tickMs: () => Math.max(10, Math.min(limits.eventSweepMs, (nextAt ?? Infinity) - clock.now())),
    async run() {
      const now = clock.now();
      const { due, next } = await store.read(async (tx) => ({
        due: await tx.eventDeliveries.due(now, {
          lanes: limits.eventTargetsAtOnce - busy.size,
          each: limits.eventDeliveryBatch,
          except: [...busy.keys()],
        }),
        next: await tx.eventDeliveries.nextDue(now),
      }));
      nextAt = next;
      for (const [lane, batch] of due) serve(lane, batch);
    },
  });
  return {
    look: () => loop.look(),
    async stop() {
      await loop.stop();
      await Promise.all(busy.values());
    },
  };
}
