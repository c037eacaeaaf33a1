/** Wishes about alarms. What state they are in is control/alarms-loop.ts's to say. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { isComposite, newAlarmObserved } from '#domain/alarm.ts';
import type { AlarmRecord, AlarmState, CompositeAlarmDesired, MetricAlarmDesired } from '#domain/alarm.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { assertTags, mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export type MetricAlarmWish = Omit<MetricAlarmDesired, 'updatedAt' | 'set'>;
export type CompositeAlarmWish = Omit<CompositeAlarmDesired, 'updatedAt' | 'set'>;
export type AlarmWish = MetricAlarmWish | CompositeAlarmWish;

/** Makes it, or changes all of one that is there but its tags and its state, as PutMetricAlarm and PutCompositeAlarm do. Throws LimitExceeded, ClientError. */
export async function putAlarm(deps: IntentDeps, scope: Scope, name: string, wish: AlarmWish): Promise<AlarmRecord> {
  const now = deps.clock.now();
  const key = { account: scope.account, region: scope.region, name };
  return await deps.store.write(async (tx) => {
    const known = await tx.alarms.get(key);
    const updatedAt = known === undefined ? now : later(now, known);
    if (wish.rule !== undefined) await assertChildren(tx, key, wish.children);
    if (known !== undefined) {
      if (isComposite(known) !== (wish.rule !== undefined))
        throw new Fault('ClientError', `The alarm ${name} is a ${isComposite(known) ? 'composite' : 'metric'} alarm. An alarm can't become one of another type: delete it first, or take another name.`); // prettier-ignore
      return await tx.alarms.setDesired(key, { ...wish, tags: known.desired.tags, set: known.desired.set, updatedAt }, known.revision);
    }
    if ((await tx.alarms.list({ account: key.account, region: key.region })).length >= limits.alarmsPerRegion) {
      throw new Fault('LimitExceeded', `A region can have at most ${limits.alarmsPerRegion} alarms.`);
    }
    return await tx.alarms.insert(key, { ...wish, tags: assertTags(wish.tags), set: null, updatedAt }, newAlarmObserved(updatedAt));
  });
}

/** Two changes in one millisecond are two. */
const later = (now: number, { desired }: AlarmRecord) => Math.max(now, desired.updatedAt + 1);

async function assertChildren(tx: ReadTx, { account, region, name }: AlarmRecord['key'], children: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const child of children) if ((await tx.alarms.get({ account, region, name: child })) === undefined) missing.push(child);
  if (missing.length > 0) {
    const told = missing.slice(0, 10).map((child) => clip(child, 255));
    throw new Fault('ClientError', `Could not save the composite alarm as alarms [${told.join(', ')}] in the alarm rule do not exist`);
  }
  const others = (await tx.alarms.list({ account, region })).filter(isComposite).filter(({ key }) => key.name !== name);
  const parents = new Map<string, number>();
  for (const child of others.flatMap(({ desired }) => desired.children)) parents.set(child, (parents.get(child) ?? 0) + 1);
  for (const child of children) {
    if ((parents.get(child) ?? 0) >= limits.compositesPerAlarm)
      throw new Fault('LimitExceeded', `The alarm ${clip(child, 255)} can be in the rules of at most ${limits.compositesPerAlarm} composite alarms.`); // prettier-ignore
  }
}

/** All of them or none. Throws ResourceNotFound that names those that aren't there; ClientError for two composite ones, or one that another composite depends on. */
export async function deleteAlarms(deps: IntentDeps, scope: Scope, names: readonly string[]): Promise<void> {
  await deps.store.write(async (tx) => {
    const alarms = await alarmsOf(tx, scope, names);
    if (alarms.filter(isComposite).length > 1) throw new Fault('ClientError', 'Only one composite alarm can be deleted in one call.');
    await assertNoParents(tx, scope, alarms);
    for (const { key } of alarms) await tx.alarms.delete(key);
  });
}

/** A parent that goes with them is none. */
async function assertNoParents(tx: ReadTx, { account, region }: Scope, alarms: readonly AlarmRecord[]): Promise<void> {
  const going = new Set(alarms.map(({ key }) => key.name));
  const staying = (await tx.alarms.list({ account, region })).filter(isComposite).filter(({ key }) => !going.has(key.name));
  const children = new Set(staying.flatMap(({ desired }) => desired.children));
  const held = alarms.map(({ key }) => key.name).filter((name) => children.has(name));
  if (held.length === 0) return;
  const told = held.slice(0, 10).map((name) => clip(name, 255));
  throw new Fault('ClientError', `Cannot delete ${told.join(',')} as there are composite alarm(s) depending on ${held.length === 1 ? 'it' : 'them'}.`); // prettier-ignore
}

/** Those of the names that there are, as EnableAlarmActions and DisableAlarmActions have it. */
export async function setAlarmActions(deps: IntentDeps, scope: Scope, names: readonly string[], actionsEnabled: boolean): Promise<void> {
  const now = deps.clock.now();
  await deps.store.write(async (tx) => {
    for (const name of new Set(names)) {
      const alarm = await tx.alarms.get({ account: scope.account, region: scope.region, name });
      if (alarm === undefined || alarm.desired.actionsEnabled === actionsEnabled) continue;
      const front = { ...alarm.desired.front, ActionsEnabled: actionsEnabled };
      await tx.alarms.setDesired(alarm.key, { ...alarm.desired, actionsEnabled, front, updatedAt: later(now, alarm) }, alarm.revision);
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
