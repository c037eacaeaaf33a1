/** An alarm's next state: what it says of itself, and the actions that it brings. */
import { uuid } from '#base/ids.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmObserved, AlarmRecord, AlarmState } from '#domain/alarm.ts';
import type { Delivery } from '#domain/event.ts';
import { alarmEvent, envelopeOf } from '#plan/event-details.ts';
import type { WriteTx } from '#store/types.ts';
import { actionItem, noted, refusedAction } from './alarm-history.ts';
import { addDeliveries } from './events/loop.ts';

/** An action is tried again for so long: what comes later tells of a state that is past. */
const ACTION_ATTEMPTS = 10;
const ACTION_AGE_MS = 15 * 60_000;

/** As it was; where it is new or a caller changed it, with that in its history, and to be evaluated anew. */
export function configured({ key, desired, observed: before }: AlarmRecord): AlarmObserved {
  if (desired.updatedAt <= before.configuredAt) return before;
  const { seen: _seen, ...observed } = before;
  const made = before.configuredAt === 0;
  const item = { kind: 'ConfigurationUpdate' as const, summary: `Alarm "${key.name}" ${made ? 'created' : 'updated'}` };
  const data = JSON.stringify({ version: '1.0', type: made ? 'Create' : 'Update' });
  return { ...observed, configuredAt: desired.updatedAt, history: noted(observed, { ...item, at: desired.updatedAt, data }) };
}

/** An alarm and how it is from now on. */
export type AlarmMove = { alarm: AlarmRecord; observed: AlarmObserved };

/** What it is now, and its actions, in one transaction. */
export async function writeMove(tx: WriteTx, { alarm, observed }: AlarmMove, random: Random): Promise<void> {
  await tx.alarms.setObserved(alarm.key, observed, alarm.revision);
  await addDeliveries(
    tx,
    actionsOf(alarm, observed, () => uuid(random)),
  );
}

export function logMoves(log: Log, moves: readonly AlarmMove[]): void {
  for (const { alarm, observed } of moves) {
    if (observed.state !== alarm.observed.state)
      log.info('alarm', { name: alarm.key.name, state: observed.state, reason: observed.reason });
  }
}

export function moved(
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
