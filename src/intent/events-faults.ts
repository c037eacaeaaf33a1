/** EventBridge's and EventBridge Scheduler's own errors, and look-ups that throw them. Source: EventBridge API reference; texts as AWS answers. */
import { Fault, type FaultCode } from '#base/fault.ts';
import { DEFAULT_BUS } from '#domain/event.ts';
import type { ApiDestinationRecord, ConnectionRecord, EventRuleRecord, ScheduleGroupRecord, ScheduleRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';

export const eventsFault = (errorName: string, message: string, code: FaultCode = 'InvalidParameter') =>
  new Fault(code, message, { details: { errorName } });
export const eventsInvalid = (message: string) => eventsFault('ValidationException', message);
export const eventsMissing = (message: string) => eventsFault('ResourceNotFoundException', message, 'ResourceNotFound');
export const eventsLimit = (message = 'The requested resource exceeds the maximum number allowed.') =>
  eventsFault('LimitExceededException', message, 'LimitExceeded');

/** The default bus is there without a row. */
export async function assertBus(tx: ReadTx, { account, region }: Scope, name: string): Promise<void> {
  if (name === DEFAULT_BUS || (await tx.eventBuses.get({ account, region, name })) !== undefined) return;
  throw eventsMissing(`Event bus ${clip(name)} does not exist.`);
}

export async function eventRuleOf(tx: ReadTx, key: EventRuleRecord['key']): Promise<EventRuleRecord> {
  const rule = await tx.eventRules.get(key);
  if (rule === undefined) throw eventsMissing(`Rule ${clip(key.name)} does not exist on EventBus ${clip(key.bus)}.`);
  return rule;
}

export async function connectionOf(tx: ReadTx, { account, region }: Scope, name: string): Promise<ConnectionRecord> {
  const found = await tx.eventConnections.get({ account, region, name });
  if (found === undefined) throw eventsMissing(`Failed to describe the connection(s). Connection '${clip(name)}' does not exist.`);
  return found;
}

export async function destinationOf(tx: ReadTx, { account, region }: Scope, name: string): Promise<ApiDestinationRecord> {
  const found = await tx.eventDestinations.get({ account, region, name });
  if (found === undefined)
    throw eventsMissing(`Failed to describe the api-destination(s). An api-destination '${clip(name)}' does not exist.`);
  return found;
}

export async function scheduleOf(tx: ReadTx, { account, region }: Scope, group: string, name: string): Promise<ScheduleRecord> {
  const found = await tx.schedules.get({ account, region, group, name });
  if (found === undefined) throw eventsMissing(`Schedule ${clip(name)} does not exist.`);
  return found;
}

/** The group `default` is there without a row. */
export async function scheduleGroupOf(tx: ReadTx, { account, region }: Scope, name: string): Promise<ScheduleGroupRecord> {
  const found = await tx.scheduleGroups.get({ account, region, name });
  if (found !== undefined) return found;
  if (name === 'default') return { key: { account, region, name }, revision: 0, createdAt: 0, updatedAt: 0, tags: [] };
  throw eventsMissing(`Schedule group ${clip(name)} does not exist.`);
}
