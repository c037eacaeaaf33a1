/** Wishes about EventBridge Scheduler's schedules and their groups. */
import { limits } from '#base/limits.ts';
import type { ScheduleGroupRecord, ScheduleRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import { eventsFault, eventsInvalid, scheduleGroupOf, scheduleOf } from './events-faults.ts';
import type { TagChange } from './event-rules.ts';
import type { IntentDeps } from './types.ts';

export type ScheduleWish = Omit<ScheduleRecord['desired'], 'createdAt' | 'updatedAt' | 'scheduledFrom'>;
type Key = ScheduleRecord['key'];

const tooMany = (message: string) => eventsFault('ServiceQuotaExceededException', message, 'LimitExceeded');
const conflict = (message: string) => eventsFault('ConflictException', message, 'Conflict');

export async function createSchedule(deps: IntentDeps, key: Key, wish: ScheduleWish): Promise<ScheduleRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await scheduleGroupOf(tx, key, key.group);
    if ((await tx.schedules.get(key)) !== undefined) throw conflict(`Schedule ${clip(key.name)} already exists.`);
    if ((await tx.schedules.list({ account: key.account, region: key.region })).length >= limits.schedulesPerRegion) {
      throw tooMany(`A region can have at most ${limits.schedulesPerRegion} schedules.`);
    }
    return await tx.schedules.insert(key, { ...wish, createdAt: now, updatedAt: now, scheduledFrom: now }, { firedFor: null });
  });
}

/** Replaces all of it; what is not said has its default again. A schedule that stays the same keeps its beat. */
export async function updateSchedule(deps: IntentDeps, key: Key, wish: ScheduleWish): Promise<ScheduleRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const { desired, revision } = await scheduleOf(tx, key, key.group, key.name);
    const same = wish.expression === desired.expression && wish.zone === desired.zone && wish.startAt === desired.startAt;
    const scheduledFrom = same && (desired.enabled || !wish.enabled) ? desired.scheduledFrom : now;
    return await tx.schedules.setDesired(key, { ...wish, createdAt: desired.createdAt, updatedAt: now, scheduledFrom }, revision);
  });
}

export async function deleteSchedule(deps: IntentDeps, key: Key): Promise<void> {
  await deps.store.write(async (tx) => {
    await tx.schedules.delete((await scheduleOf(tx, key, key.group, key.name)).key);
  });
}

export async function createScheduleGroup(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  tags: Tag[],
): Promise<ScheduleGroupRecord> {
  const now = deps.clock.now();
  const key = { account, region, name };
  return await deps.store.write(async (tx) => {
    if (name === 'default' || (await tx.scheduleGroups.get(key)) !== undefined)
      throw conflict(`Schedule group ${clip(name)} already exists.`);
    if ((await tx.scheduleGroups.list({ account, region })).length >= limits.scheduleGroupsPerRegion) {
      throw tooMany(`A region can have at most ${limits.scheduleGroupsPerRegion} schedule groups.`);
    }
    return await tx.scheduleGroups.put({ key, createdAt: now, updatedAt: now, tags }, 0);
  });
}

/** Its schedules go with it. */
export async function deleteScheduleGroup(deps: IntentDeps, { account, region }: Scope, name: string): Promise<void> {
  if (name === 'default') throw eventsInvalid('The default schedule group cannot be deleted.');
  await deps.store.write(async (tx) => {
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
