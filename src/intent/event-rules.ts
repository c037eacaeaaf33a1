/** Wishes about event buses, rules and their targets, and events of callers' own. */
import { limits } from '#base/limits.ts';
import { DEFAULT_BUS, ruleArn } from '#domain/event.ts';
import type { EventBusRecord, EventEnvelope, EventRuleRecord, EventTarget } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { assertBus, eventsFault, eventsInvalid, eventsLimit, eventsMissing, eventRuleOf } from './events-faults.ts';
import type { IntentDeps } from './types.ts';

type RuleKey = EventRuleRecord['key'];
type Desired = EventRuleRecord['desired'];
export type EventRuleWish = Pick<Desired, 'pattern' | 'schedule' | 'enabled' | 'description' | 'roleArn' | 'tags'>;

/** Makes it, or changes all of one that is there but its tags and targets, as PutRule does. Throws ResourceNotFoundException, LimitExceededException. */
export async function putEventRule(deps: IntentDeps, key: RuleKey, wish: EventRuleWish): Promise<EventRuleRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await assertBus(tx, key, key.bus);
    const known = await tx.eventRules.get(key);
    if (known !== undefined) {
      const { desired } = known;
      const counts = wish.schedule === desired.schedule && (desired.enabled || !wish.enabled);
      const scheduledFrom = counts ? desired.scheduledFrom : now;
      return await tx.eventRules.setDesired(key, { ...desired, ...wish, tags: desired.tags, scheduledFrom }, known.revision);
    }
    const { account, region, bus } = key;
    if ((await tx.eventRules.list({ account, region, bus })).length >= limits.eventRulesPerBus) throw eventsLimit();
    return await tx.eventRules.insert(key, { ...wish, createdAt: now, scheduledFrom: now, targets: [] }, { firedFor: null });
  });
}

/** What isn't there is gone already. Throws ValidationException while it has targets. */
export async function deleteEventRule(deps: IntentDeps, key: RuleKey): Promise<void> {
  await deps.store.write(async (tx) => {
    await assertBus(tx, key, key.bus);
    const rule = await tx.eventRules.get(key);
    if (rule === undefined) return;
    if (rule.desired.targets.length > 0) throw eventsInvalid("Rule can't be deleted since it has targets.");
    await tx.eventRules.delete(key);
  });
}

export async function setRuleEnabled(deps: IntentDeps, key: RuleKey, enabled: boolean): Promise<void> {
  const now = deps.clock.now();
  await changeRule(deps, key, (desired) => ({
    ...desired,
    enabled,
    scheduledFrom: enabled && !desired.enabled ? now : desired.scheduledFrom,
  }));
}

/** Adds them, or replaces those of the same ids. Throws LimitExceededException. */
export async function putTargets(deps: IntentDeps, key: RuleKey, targets: readonly EventTarget[]): Promise<void> {
  const wanted = new Map(targets.map((target) => [target.id, target]));
  await changeRule(deps, key, (desired) => {
    const kept = desired.targets.map((target) => wanted.get(target.id) ?? target);
    const added = [...wanted.values()].filter(({ id }) => !desired.targets.some((target) => target.id === id));
    if (kept.length + added.length > limits.eventTargetsPerRule) throw eventsLimit();
    return { ...desired, targets: [...kept, ...added] };
  });
}

/** Ids of those that weren't there. */
export async function removeTargets(deps: IntentDeps, key: RuleKey, ids: readonly string[]): Promise<string[]> {
  let missing: string[] = [];
  await changeRule(deps, key, (desired) => {
    missing = ids.filter((id) => !desired.targets.some((target) => target.id === id));
    return { ...desired, targets: desired.targets.filter(({ id }) => !ids.includes(id)) };
  });
  return missing;
}

async function changeRule(deps: IntentDeps, key: RuleKey, change: (desired: Desired) => Desired): Promise<void> {
  await deps.store.write(async (tx) => {
    await assertBus(tx, key, key.bus);
    const rule = await eventRuleOf(tx, key);
    await tx.eventRules.setDesired(key, change(rule.desired), rule.revision);
  });
}

export async function createEventBus(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  wish: { description: string | null; tags: Tag[] },
): Promise<EventBusRecord> {
  const now = deps.clock.now();
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const key = { account, region, name };
    if (name === DEFAULT_BUS || (await tx.eventBuses.get(key)) !== undefined) {
      throw eventsFault('ResourceAlreadyExistsException', `Event bus ${clip(name)} already exists.`, 'AlreadyExists');
    }
    if ((await tx.eventBuses.list({ account, region })).length >= limits.eventBusesPerRegion) throw eventsLimit();
    return await tx.eventBuses.put({ key, ...wish, createdAt: now, updatedAt: now }, 0);
  });
}

export async function updateEventBus(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  description: string | null,
): Promise<void> {
  const updatedAt = deps.clock.now();
  await deps.store.write(async (tx) => {
    const bus = await tx.eventBuses.get({ account, region, name });
    if (bus === undefined) throw eventsMissing(`Event bus ${clip(name)} does not exist.`);
    await tx.eventBuses.put({ ...bus, description, updatedAt }, bus.revision);
  });
}

/** What isn't there is gone already. */
export async function deleteEventBus(deps: IntentDeps, { account, region }: Scope, name: string): Promise<void> {
  if (name === DEFAULT_BUS) throw eventsInvalid('Cannot delete event bus default.');
  await deps.store.write(async (tx) => {
    if ((await tx.eventRules.list({ account, region, bus: name })).length > 0) {
      throw eventsInvalid(`Event bus ${clip(name)} cannot be deleted since it has rules.`);
    }
    await tx.eventBuses.delete({ account, region, name });
  });
}

/** Durable once it resolves; what they are told to comes after. Throws ResourceNotFoundException. */
export async function putEvents(deps: IntentDeps, events: readonly { bus: string; event: EventEnvelope }[]): Promise<void> {
  await deps.store.write(async (tx) => {
    for (const { bus, event } of events) await tx.changes.add({ kind: 'put', bus, event });
  });
}

export type TagChange = { set: Tag[] } | { remove: string[] };
const changed = (tags: readonly Tag[], change: TagChange) =>
  'set' in change ? mergeTags(tags, change.set) : withoutTags(tags, change.remove);

/** Tags of a rule or of a bus that has a row, by ARN. Throws ResourceNotFoundException. */
export async function changeEventTags(deps: IntentDeps, scope: Scope, arn: string, change: TagChange): Promise<void> {
  await deps.store.write(async (tx) => {
    const found = await taggedOf(tx, scope, arn);
    if ('desired' in found) {
      const { key, desired, revision } = found;
      await tx.eventRules.setDesired(key, { ...desired, tags: changed(desired.tags, change) }, revision);
    } else await tx.eventBuses.put({ ...found, tags: changed(found.tags, change) }, found.revision);
  });
}

export async function eventTags(deps: IntentDeps, scope: Scope, arn: string): Promise<Tag[]> {
  return await deps.store.read(async (tx) => {
    const found = await taggedOf(tx as WriteTx, scope, arn);
    return 'desired' in found ? found.desired.tags : found.tags;
  });
}

async function taggedOf(
  tx: Pick<WriteTx, 'eventRules' | 'eventBuses'>,
  { account, region }: Scope,
  arn: string,
): Promise<EventRuleRecord | EventBusRecord> {
  const [, bus] = /:event-bus\/([^/]+)$/.exec(arn) ?? [];
  const [, ofBus, name] = /:rule\/(?:([^/]+)\/)?([^/]+)$/.exec(arn) ?? [];
  const prefix = `arn:aws:events:${region}:${account}:`;
  if (bus !== undefined && arn.startsWith(prefix)) {
    const found = await tx.eventBuses.get({ account, region, name: bus });
    if (found !== undefined) return found;
    if (bus === DEFAULT_BUS)
      return { key: { account, region, name: bus }, revision: 0, createdAt: 0, updatedAt: 0, description: null, tags: [] };
    throw eventsMissing(`Event bus ${clip(bus)} does not exist.`);
  }
  if (name === undefined || !arn.startsWith(prefix))
    throw eventsInvalid(`Parameter ResourceARN is not valid: ${clip(arn)} names no rule and no event bus here.`);
  const key = { account, region, bus: ofBus ?? DEFAULT_BUS, name };
  const rule = await tx.eventRules.get(key);
  if (rule === undefined || ruleArn(key) !== arn) throw eventsMissing(`Rule ${clip(name)} does not exist on EventBus ${clip(key.bus)}.`);
  return rule;
}
