/**
 * When schedules are due. Pure. Each time fires once: what fired is remembered in the transaction that fires it. Of the times that passed while nobody looked (the
 * control plane was away) the newest fires, late, and no other: a day's outage of a schedule by the minute is one task, not 1440.
 */
import type { EventRuleRecord, ScheduleRecord } from '#domain/event.ts';
import type { Schedule } from '#events/index.ts';

/** `firing`: the time that is due now, null when none is; `next`: when to look again, null for never. */
export type Due = { firing: number | null; next: number | null };

const NEVER: Due = { firing: null, next: null };
/** How many times one look goes through one by one, before it jumps. */
const STEPS = 1000;
const HOUR_MS = 3_600_000;

/** `since`: only later times are due; `until`: none after it. */
export function dueOf(schedule: Schedule, at: { anchor: number; since: number; now: number; until: number | null }): Due {
  const { anchor, since, now, until } = at;
  const after = (time: number): number | null => {
    const next = schedule.next(time, anchor);
    return next === null || (until !== null && next > until) ? null : next;
  };
  let firing: number | null = null;
  let next = after(since);
  for (let step = 0; next !== null && next <= now; step++) {
    firing = next;
    // Long away: from here only what is newest counts.
    next = after(step < STEPS ? next : Math.max(next, now - HOUR_MS));
  }
  return { firing, next };
}

/** A rate's first time is one interval after it began. */
export function ruleDue({ desired, observed }: EventRuleRecord, schedule: Schedule, now: number): Due {
  const { scheduledFrom: anchor, enabled } = desired;
  if (!enabled) return NEVER;
  return dueOf(schedule, { anchor, since: Math.max(observed.firedFor ?? 0, anchor), now, until: null });
}

/** As Scheduler has it, a rate's first time is its beginning. */
export function scheduleDue({ desired, observed }: ScheduleRecord, schedule: Schedule, now: number): Due {
  const { startAt, endAt, enabled, scheduledFrom } = desired;
  if (!enabled) return NEVER;
  const anchor = startAt ?? scheduledFrom;
  return dueOf(schedule, { anchor, since: Math.max(observed.firedFor ?? 0, scheduledFrom - 1, anchor - 1), now, until: endAt });
}

/** A moment of the window, the same whenever it is asked. */
export function windowOffset(name: string, time: number, windowMs: number | null): number {
  if (windowMs === null) return 0;
  let hash = 2_166_136_261;
  for (const char of `${name} ${time}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619) >>> 0;
  return hash % windowMs;
}
