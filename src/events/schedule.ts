/**
 * When schedules are due: `rate(5 minutes)`, `cron(0 12 * * ? *)`, `at(2026-11-27T12:00:00)`. Sources: EventBridge user guide, "Cron expressions" and "Rate
 * expressions"; EventBridge Scheduler user guide, "Schedule types". All times in ms since the epoch.
 */
import { eventsBounds } from './bounds.ts';
import { parseCron } from './cron.ts';
import { ExpressionError, NO_SCHEDULE } from './types.ts';
import { isZone, wallClock } from './zone.ts';

export type Schedule = {
  kind: 'rate' | 'cron' | 'at';
  /** The first time it is due after `time`; null when never again. `anchor`: when it began, which rates are counted from and are first due at. */
  next(time: number, anchor: number): number | null;
};

const units: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const LONGEST_RATE_MS = 100 * 365 * 86_400_000;

/** `zone`: an IANA time zone, which rates don't ask about. Throws ExpressionError. */
export function parseSchedule(text: string, options: { at: boolean; zone?: string }): Schedule {
  const [, kind, inner = ''] = /^(rate|cron|at)\((.*)\)$/.exec(text) ?? [];
  const zone = options.zone ?? 'UTC';
  if (text.length > eventsBounds.scheduleChars || kind === undefined) throw invalid();
  if (!isZone(zone)) throw new ExpressionError(`Invalid Schedule Expression Timezone ${zone.slice(0, 50)}.`);
  if (kind === 'rate') return rate(inner);
  if (kind === 'cron') return parseCron(inner, wallClock(zone));
  if (!options.at) throw invalid();
  return once(inner, zone);
}

function rate(text: string): Schedule {
  const [, digits = '', unit = '', plural] = /^([1-9]\d{0,8}) (minute|hour|day)(s?)$/.exec(text) ?? [];
  const every = Number(digits) * (units[unit] ?? Number.NaN);
  // As AWS has it: one minute, two minutes.
  if (!(every > 0) || every > LONGEST_RATE_MS || (Number(digits) === 1) === (plural === 's')) throw invalid();
  const next = (time: number, anchor: number) => (time < anchor ? anchor : anchor + (Math.floor((time - anchor) / every) + 1) * every);
  return { kind: 'rate', next };
}

function once(text: string, zone: string): Schedule {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts?.slice(1).map(Number) ?? [];
  const plain = Date.UTC(year, month - 1, day, hour, minute, second);
  if (parts === null || new Date(plain).toISOString().slice(0, 19) !== text) throw invalid();
  const due = wallClock(zone).instant({ year, month, day, hour, minute }) + second * 1000;
  return { kind: 'at', next: (time) => (due > time ? due : null) };
}

const invalid = () => new ExpressionError(NO_SCHEDULE);
