/** A change that was noted -> the events that tell of it. */
import type { Change, ChangeRow } from '#domain/change.ts';
import { DEFAULT_BUS, eventTime } from '#domain/event.ts';
import type { EventEnvelope, EventRow } from '#domain/event.ts';
import type { Scope } from '#domain/scope.ts';
import { alarmEvent, deploymentEvent, envelopeOf, hostEvent, serviceActionEvent, taskEvent, taskThen } from '#plan/event-details.ts';
import type { PlainEvent } from '#plan/event-details.ts';
import type { ReadTx } from '#store/types.ts';
import type { EventSources } from './types.ts';

export type NewEvent = Omit<EventRow, 'seq'>;

/** `newId` makes a UUID. Empty for what nobody tells of, and of a task whose row is gone. */
export async function eventsOf(
  tx: ReadTx,
  { change, at: noted }: ChangeRow,
  sources: EventSources,
  now: number,
  newId: () => string,
): Promise<NewEvent[]> {
  const at = noted === 0 ? now : noted;
  if (change.kind === 'put') {
    const { account, region } = change.event;
    return [{ account, region, bus: change.bus, at: now, event: withTime(change.event, at) }];
  }
  const plain = await plainEvents(tx, change, sources, at);
  return plain.map((event) => ({
    account: event.account,
    region: event.region,
    bus: DEFAULT_BUS,
    at: now,
    event: envelopeOf(event, newId(), at),
  }));
}

const withTime = (event: EventEnvelope, at: number): EventEnvelope => ({ ...event, time: event.time === '' ? eventTime(at) : event.time });

async function plainEvents(tx: ReadTx, change: ChangeRow['change'], sources: EventSources, at: number): Promise<PlainEvent[]> {
  switch (change.kind) {
    case 'put':
      return [];
    case 'task': {
      const task = await tx.tasks.byId(change.id);
      if (task === undefined) return [];
      const { account, region } = task.key;
      return [taskEvent({ account, region }, await sources.describeTask(tx, taskThen(task, change)), at)];
    }
    case 'serviceEvent': {
      const event = serviceActionEvent(change);
      return event === null ? [] : [event];
    }
    case 'deployment':
      return [deploymentEvent(change)];
    case 'host':
      return await hostEvents(tx, change, at);
    case 'alarm':
      return [alarmEvent(change, await tx.alarms.get(change.alarm))];
  }
}

async function hostEvents(tx: ReadTx, { hostId, connected }: Extract<Change, { kind: 'host' }>, at: number): Promise<PlainEvent[]> {
  const then = { hostId, connected, host: await tx.hosts.get({ hostId }), slots: await tx.tasks.slots(hostId) };
  return (await scopesOf(tx)).map((scope) => hostEvent(scope, then, at));
}

/** Accounts and regions that were ever used: each has its default VPC. */
async function scopesOf(tx: ReadTx): Promise<Scope[]> {
  const all = (await tx.vpcs.list({})).map(({ key }): [string, Scope] => [
    `${key.account} ${key.region}`,
    { account: key.account, region: key.region },
  ]);
  return [...new Map(all).values()];
}
