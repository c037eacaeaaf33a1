/** Wishes about alarms. What state they are in is control/alarms-loop.ts's to say. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { newAlarmObserved } from '#domain/alarm.ts';
import type { AlarmDesired, AlarmRecord, AlarmState } from '#domain/alarm.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { assertTags, mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export type AlarmWish = Omit<AlarmDesired, 'updatedAt' | 'set'>;

/** Makes it, or changes all of one that is there but its tags and its state, as PutMetricAlarm does. Throws LimitExceeded. */
export async function putAlarm(deps: IntentDeps, scope: Scope, name: string, wish: AlarmWish): Promise<AlarmRecord> {
  const updatedAt = deps.clock.now();
  const key = { account: scope.account, region: scope.region, name };
  return await deps.store.write(async (tx) => {
    const known = await tx.alarms.get(key);
    if (known !== undefined) {
      return await tx.alarms.setDesired(key, { ...wish, tags: known.desired.tags, set: known.desired.set, updatedAt }, known.revision);
    }
    if ((await tx.alarms.list({ account: key.account, region: key.region })).length >= limits.alarmsPerRegion) {
      throw new Fault('LimitExceeded', `A region can have at most ${limits.alarmsPerRegion} alarms.`);
    }
    return await tx.alarms.insert(key, { ...wish, tags: assertTags(wish.tags), set: null, updatedAt }, newAlarmObserved(updatedAt));
  });
}

/** All of them or none. Throws ResourceNotFound that names those that aren't there. */
export async function deleteAlarms(deps: IntentDeps, scope: Scope, names: readonly string[]): Promise<void> {
  await deps.store.write(async (tx) => {
    for (const { key } of await alarmsOf(tx, scope, names)) await tx.alarms.delete(key);
  });
}

/** Those of the names that there are, as EnableAlarmActions and DisableAlarmActions have it. */
export async function setAlarmActions(deps: IntentDeps, scope: Scope, names: readonly string[], actionsEnabled: boolean): Promise<void> {
  const updatedAt = deps.clock.now();
  await deps.store.write(async (tx) => {
    for (const name of new Set(names)) {
      const alarm = await tx.alarms.get({ account: scope.account, region: scope.region, name });
      if (alarm === undefined || alarm.desired.actionsEnabled === actionsEnabled) continue;
      const front = { ...alarm.desired.front, ActionsEnabled: actionsEnabled };
      await tx.alarms.setDesired(alarm.key, { ...alarm.desired, actionsEnabled, front, updatedAt }, alarm.revision);
    }
  });
}

export async function setAlarmState(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  wish: { state: AlarmState; reason: string; data: string | null },
): Promise<void> {
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    const [alarm] = await alarmsOf(tx, scope, [name]);
    // Two in one millisecond are two.
    const at = Math.max(now, (alarm?.desired.set?.at ?? 0) + 1);
    if (alarm !== undefined) await tx.alarms.setDesired(alarm.key, { ...alarm.desired, set: { ...wish, at } }, alarm.revision);
  });
}

/** `change`: tags to set, or keys to remove. Throws ResourceNotFound, InvalidParameter. */
export async function changeAlarmTags(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  change: { set: Tag[] } | { remove: string[] },
): Promise<void> {
  await deps.store.write(async (tx) => {
    const [alarm] = await alarmsOf(tx, scope, [name], 'ResourceNotFoundException');
    if (alarm === undefined) return;
    const { tags: present } = alarm.desired;
    const tags = 'set' in change ? mergeTags(present, assertTags(change.set)) : present.filter(({ key }) => !change.remove.includes(key));
    await tx.alarms.setDesired(alarm.key, { ...alarm.desired, tags }, alarm.revision);
  });
}

/** In the order of the names, each once. Throws ResourceNotFound; `errorName`: what CloudWatch calls it in the operations of tags. */
export async function alarmsOf(
  tx: ReadTx,
  { account, region }: Scope,
  names: readonly string[],
  errorName?: 'ResourceNotFoundException',
): Promise<AlarmRecord[]> {
  const found: AlarmRecord[] = [];
  const missing: string[] = [];
  for (const name of new Set(names)) {
    const alarm = await tx.alarms.get({ account, region, name });
    if (alarm === undefined) missing.push(name);
    else found.push(alarm);
  }
  if (missing.length > 0) {
    const told = missing.slice(0, 10).map((name) => clip(name, 255));
    throw new Fault('ResourceNotFound', `Alarm(s) ${told.join(', ')} not found.`, {
      details: errorName === undefined ? {} : { errorName },
    });
  }
  return found;
}
