/**
 * Makes events of what the store noted: in one transaction the events, the deliveries to the targets of the rules that they match, and the end of the notes. Killed at any
 * moment it begins again with what is still noted, so an event is made once. It waits a moment after a change, for the sake of what changes meanwhile, and of starts.
 */
import type { Clock, Timer } from '#base/clock.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { compilePattern } from '#events/index.ts';
import type { Pattern } from '#events/index.ts';
import { deliveriesOf } from '#plan/event-rules.ts';
import type { Store, WriteTx } from '#store/types.ts';
import { createLease } from '../lease.ts';
import { startLoop } from '../loop.ts';
import type { Loop } from '../loop.ts';
import { eventsOf } from './events-of.ts';
import type { EventSources } from './types.ts';

export type EventLoopDeps = { store: Store; clock: Clock; random: Random; log: Log; sources: EventSources };

export function startEventsLoop(deps: EventLoopDeps, holder: string): Loop {
  const { store, clock, log, sources } = deps;
  const lease = createLease(store, clock, 'events', holder);
  const patternOf = createPatterns();
  let sweepAt = 0;

  const batch = async (): Promise<number> =>
    await lease.write(async (tx) => {
      const changes = await tx.changes.list(limits.eventBatch);
      const last = changes.at(-1);
      if (last === undefined) return 0;
      const now = clock.now();
      const made = [];
      for (const row of changes) made.push(...(await eventsOf(tx, row, sources, now, () => uuid(deps.random))));
      for (const event of made) await tx.events.add(event);
      const rules = await tx.eventRules.list({});
      const due = rules.length === 0 ? [] : made.flatMap((event) => deliveriesOf(event, rules, patternOf, now));
      const dropped = await addDeliveries(tx, due);
      if (dropped > 0) log.warn('event-deliveries-full', { dropped, limit: limits.eventDeliveries });
      await tx.changes.deleteUpTo(last.seq);
      return changes.length;
    });

  const sweep = async () => {
    const before = clock.now() - sources.keepMs;
    const most = limits.eventsKept;
    for (;;) {
      const gone = await lease.write((tx) => tx.events.expire({ before, most, limit: limits.expiryBatch }));
      if (gone < limits.expiryBatch) return;
    }
  };

  const loop = startLoop(deps, {
    name: 'events',
    tickMs: limits.eventSweepMs,
    async run() {
      const waiting = await store.read((tx) => tx.changes.list(1));
      if (waiting.length > 0) while ((await batch()) === limits.eventBatch);
      if (clock.now() < sweepAt) return;
      await sweep();
      sweepAt = clock.now() + limits.eventSweepMs;
    },
  });
  return debounced(clock, loop);
}

/** As many as there is room for, in order; how many there was none for. */
export async function addDeliveries(tx: WriteTx, deliveries: readonly Parameters<WriteTx['eventDeliveries']['put']>[0][]): Promise<number> {
  if (deliveries.length === 0) return 0;
  const room = Math.max(0, limits.eventDeliveries - (await tx.eventDeliveries.count()));
  for (const delivery of deliveries.slice(0, room)) await tx.eventDeliveries.put(delivery);
  return Math.max(0, deliveries.length - room);
}

function debounced(clock: Clock, loop: Loop): Loop {
  let timer: Timer | null = null;
  return {
    look() {
      timer ??= clock.after(limits.eventDelayMs, () => {
        timer = null;
        loop.look();
      });
    },
    async stop() {
      timer?.cancel();
      await loop.stop();
    },
  };
}

/** Compiled once; null for what can't be. */
function createPatterns(): (text: string) => Pattern | null {
  const known = new Map<string, Pattern | null>();
  return (text) => {
    const held = known.get(text);
    if (held !== undefined) return held;
    if (known.size >= limits.eventPatternsHeld) known.clear();
    const compiled = compiledOrNull(text);
    known.set(text, compiled);
    return compiled;
  };
}

function compiledOrNull(text: string): Pattern | null {
  try {
    return compilePattern(text);
  } catch {
    return null;
  }
}
