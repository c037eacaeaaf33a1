/** Looks at every alarm each minute, once what was measured in it is there; and at once where a caller changed one or set its state. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmObserved, AlarmRecord, AlarmState } from '#domain/alarm.ts';
import type { Delivery } from '#domain/event.ts';
import { runQueries } from '#metrics/queries.ts';
import type { Metrics } from '#metrics/types.ts';
import { evaluateAlarm, STAND_INS } from '#plan/alarms.ts';
import type { Datapoint } from '#plan/alarms.ts';
import { alarmEvent, envelopeOf } from '#plan/event-details.ts';
import type { Store } from '#store/types.ts';
import { actionItem, noted, refusedAction } from './alarm-history.ts';
import { addDeliveries } from './events/loop.ts';
import { createLease } from './lease.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';

const MINUTE_MS = 60_000;
/** After a minute's end: late samples of it are there then. */
const AFTER_MS = 5000;
const WRITES_AT_ONCE = 100;
/** An action is tried again for so long: what comes later tells of a state that is past. */
const ACTION_ATTEMPTS = 10;
const ACTION_AGE_MS = 15 * MINUTE_MS;

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
      const due = all.filter((alarm) => minute > lookedFor || isNew(alarm));
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
            await tx.alarms.setObserved(alarm.key, observed, alarm.revision);
            await addDeliveries(
              tx,
              actionsOf(alarm, observed, () => uuid(deps.random)),
            );
          }
        });
      }
      for (const { alarm, observed } of changed) {
        if (observed.state !== alarm.observed.state)
          log.info('alarm', { name: alarm.key.name, state: observed.state, reason: observed.reason });
      }
      lookedFor = Math.max(lookedFor, minute);
    },
  });
}

/** How it is now; null when that is as it was. */
function observe(deps: AlarmsLoopDeps, alarm: AlarmRecord, minute: number, now: number): AlarmObserved | null {
  const { desired, observed: before } = alarm;
  const { set } = desired;
  let observed = before;
  if (desired.updatedAt > before.configuredAt) {
    const made = before.configuredAt === 0;
    const item = { kind: 'ConfigurationUpdate' as const, summary: `Alarm "${alarm.key.name}" ${made ? 'created' : 'updated'}` };
    const data = { version: '1.0', type: made ? 'Create' : 'Update' };
    observed = {
      ...observed,
      configuredAt: desired.updatedAt,
      history: noted(observed, { ...item, at: desired.updatedAt, data: JSON.stringify(data) }),
    };
  }
  if (set !== null && set.at > before.setAt) {
    return moved(alarm, { ...observed, setAt: set.at }, { state: set.state, reason: set.reason, data: set.data }, now);
  }
  const verdict = verdictOf(deps, alarm, minute, now);
  if (verdict !== null && verdict.state !== observed.state) return moved(alarm, observed, verdict, now);
  // What is new of the same state isn't worth a write, but for an alarm that was never looked at.
  if (verdict !== null && (observed !== before || observed.reasonData === null)) {
    observed = { ...observed, reason: verdict.reason, reasonData: verdict.data, stateUpdatedAt: now };
  }
  return observed === before ? null : observed;
}

function verdictOf({ metrics }: AlarmsLoopDeps, { key, desired }: AlarmRecord, end: number, now: number) {
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

function moved(
  { key, desired }: AlarmRecord,
  observed: AlarmObserved,
  to: { state: AlarmState; reason: string; data: string | null },
  now: number,
): AlarmObserved {
  const { state, reason, data } = to;
  const from = observed.state;
  const next = {
    ...observed,
    state,
    reason,
    reasonData: data,
    stateUpdatedAt: now,
    transitionedAt: from === state ? observed.transitionedAt : now,
  };
  if (from === state) return next;
  const change = { oldState: { stateValue: from, stateReason: observed.reason }, newState: { stateValue: state, stateReason: reason } };
  const item = {
    at: now,
    kind: 'StateUpdate' as const,
    summary: `Alarm updated from ${from} to ${state}`,
    data: JSON.stringify({ version: '1.0', ...change }),
  };
  // Those that can be carried out tell of themselves, when they were.
  const actions = desired.actionsEnabled ? desired.actions[state] : [];
  const failed = actions.flatMap((arn) => {
    const why = refusedAction(arn);
    return why === null ? [] : [actionItem(key, arn, state, now, why)];
  });
  return { ...next, history: [item, ...failed].reduce((history, one) => noted({ history }, one), observed.history) };
}

/** What its new state's actions are to bring where, in the transaction that makes it so. */
function actionsOf(alarm: AlarmRecord, after: AlarmObserved, newId: () => string): Delivery[] {
  const { key, desired, observed: before } = alarm;
  if (before.state === after.state || !desired.actionsEnabled) return [];
  const { account, region, name } = key;
  const at = after.stateUpdatedAt;
  return desired.actions[after.state]
    .filter((arn) => refusedAction(arn) === null)
    .map((arn): Delivery => {
      const id = newId();
      const event = envelopeOf(alarmEvent({ alarm: key, before, after }, alarm), id, at);
      const target = { id: arn, arn, roleArn: null, input: {}, maxAttempts: ACTION_ATTEMPTS, maxAgeMs: ACTION_AGE_MS, deadLetterArn: null, parameters: {}, front: {} }; // prettier-ignore
      return {
        account,
        region,
        id,
        dueAt: at,
        sourceArn: alarmArn(key),
        sourceName: name,
        target,
        event,
        at,
        attempts: 0,
        alarm: { name, state: after.state },
      };
    });
}
