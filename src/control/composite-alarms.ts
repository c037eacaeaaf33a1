/** Composite alarms: evaluated when one was made, changed or set, and when a child became another state, whenever that was. */
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { isComposite } from '#domain/alarm.ts';
import type { AlarmObserved, AlarmRecord } from '#domain/alarm.ts';
import { evaluateComposite, evaluationOrder } from '#plan/composite-alarms.ts';
import type { Composite } from '#plan/composite-alarms.ts';
import type { Store } from '#store/types.ts';
import { configured, logMoves, moved, writeMove } from './alarm-moves.ts';
import type { Lease } from './lease.ts';

const WRITES_AT_ONCE = 100;

type Changed = { alarm: Composite; observed: AlarmObserved };

/** A transaction writes some, the children before their parents, so that each sees what its children are in it. */
export async function observeComposites(deps: { store: Store; clock: Clock; random: Random; log: Log }, lease: Lease): Promise<void> {
  const { store, clock, random, log } = deps;
  for (let more = true; more;) {
    // Most looks find none, and need no transaction that writes.
    if (changedOf(await store.read((tx) => tx.alarms.list({})), clock.now()).length === 0) return;
    const changed = await lease.write(async (tx) => {
      const some = changedOf(await tx.alarms.list({}), clock.now()).slice(0, WRITES_AT_ONCE);
      for (const move of some) await writeMove(tx, move, random);
      return some;
    });
    logMoves(log, changed);
    more = changed.length === WRITES_AT_ONCE;
  }
}

/** Those that are not as they were, the children before their parents. */
function changedOf(all: readonly AlarmRecord[], now: number): Changed[] {
  if (!all.some(isComposite)) return [];
  const scopes = Map.groupBy(all, ({ key: { account, region } }) => `${account} ${region}`);
  return [...scopes.values()].flatMap((alarms) => changedOfScope(alarms, now));
}

function changedOfScope(alarms: readonly AlarmRecord[], now: number): Changed[] {
  const byName = new Map(alarms.map((alarm) => [alarm.key.name, alarm]));
  const composites = alarms.filter(isComposite);
  const order = evaluationOrder(composites);
  const ordered = new Set(order);
  const changed: Changed[] = [];
  for (const alarm of [...order, ...composites.filter((one) => !ordered.has(one))]) {
    const observed = observe(alarm, ordered.has(alarm) ? (name) => byName.get(name) : null, now);
    if (observed === alarm.observed) continue;
    byName.set(alarm.key.name, { ...alarm, observed });
    changed.push({ alarm, observed });
  }
  return changed;
}

/** `childOf`: null for one that isn't evaluated. */
function observe(alarm: Composite, childOf: ((name: string) => AlarmRecord | undefined) | null, now: number): AlarmObserved {
  const { set } = alarm.desired;
  const observed = configured(alarm);
  if (set !== null && set.at > observed.setAt) return moved(alarm, { ...observed, setAt: set.at }, set, now);
  const evaluated = childOf === null ? null : evaluateComposite(alarm, observed.seen, childOf);
  if (evaluated === null) return observed;
  const { seen, verdict } = evaluated;
  return verdict.state === observed.state ? { ...observed, seen } : moved(alarm, { ...observed, seen }, verdict, now);
}
