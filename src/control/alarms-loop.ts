/** Looks at every metric alarm each minute, once what was measured in it is there; and at once where a caller changed one or set its state. Then at the composite ones. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { isComposite, isMetricAlarm } from '#domain/alarm.ts';
import type { AlarmObserved, AlarmRecord, MetricAlarmDesired } from '#domain/alarm.ts';
import { runQueries } from '#metrics/queries.ts';
import type { Metrics } from '#metrics/types.ts';
import { evaluateAlarm, STAND_INS } from '#plan/alarms.ts';
import type { Datapoint } from '#plan/alarms.ts';
import type { Store } from '#store/types.ts';
import { configured, logMoves, moved, writeMove } from './alarm-moves.ts';
import { observeComposites } from './composite-alarms.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';

const MINUTE_MS = 60_000;
/** After a minute's end: late samples of it are there then. */
const AFTER_MS = 5000;
const WRITES_AT_ONCE = 100;

type MetricAlarm = AlarmRecord<MetricAlarmDesired>;

export type AlarmsLoopDeps = { store: Store; clock: Clock; random: Random; log: Log; metrics: Metrics };

export function startAlarmsLoop(deps: AlarmsLoopDeps, holder: string): Loop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'alarms', holder);
  /** The minute that all were looked at for. */
  let lookedFor = 0;
  return startLoop(deps, {
    name: 'alarms',
    tickMs: () => MINUTE_MS - ((clock.now() - AFTER_MS) % MINUTE_MS),
    async run() {
      const now = clock.now();
      const minute = Math.floor((now - AFTER_MS) / MINUTE_MS) * MINUTE_MS;
      const all = await store.read((tx) => tx.alarms.list({}));
      const isNew = ({ desired, observed }: AlarmRecord) =>
        (desired.set?.at ?? 0) > observed.setAt || desired.updatedAt > observed.configuredAt;
      const due = all.filter(isMetricAlarm).filter((alarm) => minute > lookedFor || isNew(alarm));
      const changed = due.flatMap((alarm) => {
        const observed = observe(deps, alarm, minute, now);
        return observed === null ? [] : [{ alarm, observed }];
      });
      for (let from = 0; from < changed.length; from += WRITES_AT_ONCE) {
        await lease.write(async (tx) => {
          for (const { alarm, observed } of changed.slice(from, from + WRITES_AT_ONCE)) {
            const present = await tx.alarms.get(alarm.key);
            // Changed meanwhile: the change was a hint to look again.
            if (present?.revision !== alarm.revision) continue;
            await writeMove(tx, { alarm, observed }, deps.random);
          }
        });
      }
      logMoves(log, changed);
      // After the others, whose states are theirs to watch.
      if (all.some(isComposite)) await observeComposites(deps, lease);
      lookedFor = Math.max(lookedFor, minute);
    },
  });
}

/** How it is now; null when that is as it was. */
function observe(deps: AlarmsLoopDeps, alarm: MetricAlarm, minute: number, now: number): AlarmObserved | null {
  const { desired, observed: before } = alarm;
  const { set } = desired;
  let observed = configured(alarm);
  if (set !== null && set.at > before.setAt) {
    return moved(alarm, { ...observed, setAt: set.at }, set, now);
  }
  const verdict = verdictOf(deps, alarm, minute, now);
  if (verdict !== null && verdict.state !== observed.state) return moved(alarm, observed, verdict, now);
  // What is new of the same state isn't worth a write, but for an alarm that was never looked at.
  if (verdict !== null && (observed !== before || observed.reasonData === null)) {
    observed = { ...observed, reason: verdict.reason, reasonData: verdict.data, stateUpdatedAt: now };
  }
  return observed === before ? null : observed;
}

function verdictOf({ metrics }: AlarmsLoopDeps, { key, desired }: MetricAlarm, end: number, now: number) {
  const { periodS, evaluationPeriods, queries } = desired;
  const start = end - (evaluationPeriods + STAND_INS) * periodS * 1000;
  try {
    const [watched] = runQueries(metrics, key, queries, { start, end });
    const points = [...(watched?.values ?? [])].map(([at, value]): Datapoint => ({ at, value }));
    return evaluateAlarm(desired, points, now);
  } catch (error) {
    const reason = `Insufficient Data: ${asFault(error).message}`;
    return { state: 'INSUFFICIENT_DATA' as const, reason, data: JSON.stringify({ version: '1.0' }) };
  }
}
