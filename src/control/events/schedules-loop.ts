/** Fires what is due: rules with a schedule, and EventBridge Scheduler's schedules. What fired is remembered in the transaction that makes the deliveries. */
import type { Clock } from '#base/clock.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { eventTime, ruleArn, scheduleArn } from '#domain/event.ts';
import type { Delivery, EventRuleRecord, ScheduleRecord } from '#domain/event.ts';
import { parseSchedule } from '#events/index.ts';
import type { Schedule } from '#events/index.ts';
import { envelopeOf } from '#plan/event-details.ts';
import { deliveriesTo } from '#plan/event-rules.ts';
import { ruleDue, scheduleDue, windowOffset } from '#plan/schedules.ts';
import type { Store, WriteTx } from '#store/types.ts';
import { createLease } from '../lease.ts';
import { startLoop } from '../loop.ts';
import type { Loop } from '../loop.ts';
import { addDeliveries } from './loop.ts';

export type SchedulesLoopDeps = { store: Store; clock: Clock; random: Random; log: Log };

export function startSchedulesLoop(deps: SchedulesLoopDeps, holder: string): Loop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'schedules', holder);
  let nextAt = Infinity;
  const soon = (at: number | null) => {
    if (at !== null) nextAt = Math.min(nextAt, at);
  };
  return startLoop(deps, {
    name: 'schedules',
    tickMs: () => Math.max(1, Math.min(limits.eventSweepMs, nextAt - clock.now())),
    async run() {
      const now = clock.now();
      nextAt = Infinity;
      const { rules, schedules } = await store.read(async (tx) => ({
        rules: await tx.eventRules.list({}),
        schedules: await tx.schedules.list({}),
      }));
      for (const rule of rules) {
        const schedule = rule.desired.schedule === null ? null : read(rule.desired.schedule, 'UTC');
        const due = schedule === null ? null : ruleDue(rule, schedule, now);
        soon(due?.next ?? null);
        const firing = due?.firing ?? null;
        if (firing === null) continue;
        const dropped = await lease.write((tx) => fireRule(tx, deps, rule, firing, now));
        log.info('schedule-fired', { rule: rule.key.name, for: eventTime(firing), dropped });
      }
      for (const schedule of schedules) {
        const read_ = read(schedule.desired.expression, schedule.desired.zone);
        const due = read_ === null ? null : scheduleDue(schedule, read_, now);
        soon(due?.next ?? null);
        const firing = due?.firing ?? null;
        const isOver = due !== null && due.next === null && schedule.desired.enabled && schedule.desired.deleteWhenDone;
        if (firing === null && !(isOver && schedule.observed.firedFor !== null)) continue;
        const dropped = await lease.write((tx) => fireSchedule(tx, deps, schedule, { firing, isOver }, now));
        if (firing !== null)
          log.info('schedule-fired', { schedule: schedule.key.name, group: schedule.key.group, for: eventTime(firing), dropped });
      }
    },
  });
}

/** The event of a scheduled rule goes to the rule's own targets, and stands in the log of events. How many deliveries there was no room for. */
async function fireRule(
  tx: WriteTx,
  deps: SchedulesLoopDeps,
  { key, revision }: EventRuleRecord,
  firing: number,
  now: number,
): Promise<number> {
  const rule = await tx.eventRules.get(key);
  // Changed meanwhile: the change was a hint to look again.
  if (rule?.revision !== revision) return 0;
  await tx.eventRules.setObserved(key, { firedFor: firing }, revision);
  const { account, region, bus } = key;
  const plain = { account, region, type: 'Scheduled Event', source: 'aws.events', resources: [ruleArn(key)], detail: {} };
  const event = envelopeOf(plain, uuid(deps.random), firing);
  await tx.events.add({ account, region, bus, at: now, event });
  return await addDeliveries(tx, deliveriesTo(rule, event, now));
}

async function fireSchedule(
  tx: WriteTx,
  deps: SchedulesLoopDeps,
  { key, revision }: ScheduleRecord,
  { firing, isOver }: { firing: number | null; isOver: boolean },
  now: number,
): Promise<number> {
  const schedule = await tx.schedules.get(key);
  if (schedule?.revision !== revision) return 0;
  if (isOver) await tx.schedules.delete(key);
  else await tx.schedules.setObserved(key, { firedFor: firing }, revision);
  return firing === null ? 0 : await addDeliveries(tx, [deliveryOf(schedule, uuid(deps.random), firing, now)]);
}

function deliveryOf({ key, desired }: ScheduleRecord, id: string, firing: number, now: number): Delivery {
  const { account, region, name } = key;
  const arn = scheduleArn(key);
  const plain = { account, region, type: 'Scheduled Event', source: 'aws.scheduler', resources: [arn], detail: {} };
  const dueAt = Math.max(now, firing + windowOffset(arn, firing, desired.windowMs));
  return { account, region, id, dueAt, sourceArn: arn, sourceName: name, target: desired.target, event: envelopeOf(plain, id, firing), at: dueAt, attempts: 0, alarm: null }; // prettier-ignore
}

const held = new Map<string, Schedule | null>();

/** null for what can't be read. */
function read(expression: string, zone: string): Schedule | null {
  const name = `${zone} ${expression}`;
  const known = held.get(name);
  if (known !== undefined) return known;
  if (held.size >= limits.eventPatternsHeld) held.clear();
  let schedule: Schedule | null = null;
  try {
    schedule = parseSchedule(expression, { at: true, zone });
  } catch {
    // Nothing that was accepted is unreadable, but for a zone that this machine's Node lacks.
  }
  held.set(name, schedule);
  return schedule;
}
