/**
 * Wishes about EventBridge Scheduler's schedules and their groups. Each may have a token (ClientToken), by which it is carried out once: repeated as it was it has its
 * answer again and changes nothing, with other parameters it is a conflict. The SDKs send one with every call, and repeat it where an answer was lost.
 */
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { ScheduleRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import { idsBefore, keepAnswer, type TokenWish } from './client-token.ts';
import { eventsFault, eventsInvalid, scheduleGroupOf, scheduleOf } from './events-faults.ts';
import type { TagChange } from './event-rules.ts';
import type { WriteTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export type ScheduleWish = Omit<ScheduleRecord['desired'], 'createdAt' | 'updatedAt' | 'scheduledFrom'>;
type Key = ScheduleRecord['key'];

const tooMany = (message: string) => eventsFault('ServiceQuotaExceededException', message, 'LimitExceeded');
const conflict = (message: string) => eventsFault('ConflictException', message, 'Conflict');

/** Where tokens are kept that belong to no cluster. */
const WITHOUT_CLUSTER = 'scheduler';

/** `work`: what has no answer of its own but that it was done. */
async function once(
  deps: IntentDeps,
  { account, region }: Scope,
  operation: string,
  token: TokenWish | null,
  work: (tx: WriteTx, now: number) => Promise<unknown>,
): Promise<void> {
  const now = deps.clock.now();
  const where = { account, region, cluster: WITHOUT_CLUSTER };
  await deps.store.write(async (tx) => {
    if (token === null) return void (await work(tx, now));
    if (await wasDone(tx, where, operation, token, now)) return;
    await work(tx, now);
    await keepAnswer(tx, where, operation, token, [], now);
  });
}

async function wasDone(
  tx: WriteTx,
  where: Scope & { cluster: string },
  operation: string,
  token: TokenWish,
  now: number,
): Promise<boolean> {
  try {
    return (await idsBefore(tx, where, operation, token, now)) !== undefined;
  } catch (error) {
    if (!isFault(error, 'Conflict')) throw error;
    throw conflict('The ClientToken was already used with other parameters. Use a new one, or repeat the first call as it was.');
  }
}

export async function createSchedule(deps: IntentDeps, key: Key, wish: ScheduleWish, token: TokenWish | null = null): Promise<void> {
  await once(deps, key, 'CreateSchedule', token, async (tx, now) => {
    await scheduleGroupOf(tx, key, key.group);
    if ((await tx.schedules.get(key)) !== undefined) throw conflict(`Schedule ${clip(key.name)} already exists.`);
    if ((await tx.schedules.list({ account: key.account, region: key.region })).length >= limits.schedulesPerRegion) {
      throw tooMany(`A region can have at most ${limits.schedulesPerRegion} schedules.`);
    }
    await tx.schedules.insert(key, { ...wish, createdAt: now, updatedAt: now, scheduledFrom: now }, { firedFor: null });
  });
}

/** Replaces all of it; what is not said has its default again. A schedule that stays the same keeps its beat. */
export async function updateSchedule(deps: IntentDeps, key: Key, wish: ScheduleWish, token: TokenWish | null = null): Promise<void> {
  await once(deps, key, 'UpdateSchedule', token, async (tx, now) => {
    const { desired, revision } = await scheduleOf(tx, key, key.group, key.name);
    const same = wish.expression === desired.expression && wish.zone === desired.zone && wish.startAt === desired.startAt;
    const scheduledFrom = same && (desired.enabled || !wish.enabled) ? desired.scheduledFrom : now;
    await tx.schedules.setDesired(key, { ...wish, createdAt: desired.createdAt, updatedAt: now, scheduledFrom }, revision);
  });
}

export async function deleteSchedule(deps: IntentDeps, key: Key, token: TokenWish | null = null): Promise<void> {
  await once(deps, key, 'DeleteSchedule', token, async (tx) => {
    await tx.schedules.delete((await scheduleOf(tx, key, key.group, key.name)).key);
  });
}

export async function createScheduleGroup(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  tags: Tag[],
  token: TokenWish | null = null,
): Promise<void> {
  const key = { account, region, name };
  await once(deps, key, 'CreateScheduleGroup', token, async (tx, now) => {
    if (name === 'default' || (await tx.scheduleGroups.get(key)) !== undefined)
      throw conflict(`Schedule group ${clip(name)} already exists.`);
    if ((await tx.scheduleGroups.list({ account, region })).length >= limits.scheduleGroupsPerRegion) {
      throw tooMany(`A region can have at most ${limits.scheduleGroupsPerRegion} schedule groups.`);
    }
    await tx.scheduleGroups.put({ key, createdAt: now, updatedAt: now, tags }, 0);
  });
}

/** Its schedules go with it. */
export async function deleteScheduleGroup(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  token: TokenWish | null = null,
): Promise<void> {
  if (name === 'default') throw eventsInvalid('The default schedule group cannot be deleted.');
  await once(deps, { account, region }, 'DeleteScheduleGroup', token, async (tx) => {
    const { key } = await scheduleGroupOf(tx, { account, region }, name);
    for (const schedule of await tx.schedules.list({ account, region, group: name })) await tx.schedules.delete(schedule.key);
    await tx.scheduleGroups.delete(key);
  });
}

export async function changeScheduleGroupTags(deps: IntentDeps, scope: Scope, name: string, change: TagChange): Promise<void> {
  const updatedAt = deps.clock.now();
  await deps.store.write(async (tx) => {
    const group = await scheduleGroupOf(tx, scope, name);
    const tags = 'set' in change ? mergeTags(group.tags, change.set) : withoutTags(group.tags, change.remove);
    await tx.scheduleGroups.put({ ...group, tags, updatedAt }, group.revision);
  });
}
