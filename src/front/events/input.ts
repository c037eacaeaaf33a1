/** Parts of EventBridge's requests, with its texts: names, patterns, schedules, pages. Source: EventBridge API reference. */
import { limits } from '#base/limits.ts';
import { DEFAULT_BUS } from '#domain/event.ts';
import { clip, constraintText } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { compilePattern, NO_SCHEDULE, parseSchedule } from '#events/index.ts';
import { cutPage } from '#gateway/page.ts';
import { eventsFault, eventsInvalid, eventsMissing } from '#intent/index.ts';

/** The text of a member that breaks its pattern, as AWS's frameworks say it. */
export function constraint(value: string, member: string, what: string) {
  return eventsInvalid(constraintText(value, member, what));
}

export function checkName(name: string | undefined, member: string, most = 64): string {
  const given = name ?? '';
  if (given.length < 1) throw constraint(given, member, 'have length greater than or equal to 1');
  if (given.length > most) throw constraint(given, member, `have length less than or equal to ${most}`);
  if (!/^[.\-_A-Za-z0-9]+$/.test(given)) throw constraint(given, member, 'satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+');
  return given;
}

export function checkLength(value: string | undefined, member: string, most: number): string | null {
  if (value !== undefined && value.length > most) throw constraint(value, member, `have length less than or equal to ${most}`);
  return value === undefined || value === '' ? null : value;
}

export function oneOf<T extends string>(value: string, member: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw constraint(value, member, `satisfy enum value set: [${allowed.join(', ')}]`);
}

/** A bus by its name or ARN; the default one when left out. Throws for one of another account. */
export function busOf(scope: Scope, ref: string | undefined): string {
  if (ref === undefined || ref === '') return DEFAULT_BUS;
  if (!ref.startsWith('arn:')) return checkName(ref, 'eventBusName', 256);
  const prefix = `arn:aws:events:${scope.region}:${scope.account}:event-bus/`;
  if (!ref.startsWith(prefix)) throw eventsMissing(`Event bus ${clip(ref)} does not exist.`);
  return checkName(ref.slice(prefix.length), 'eventBusName', 256);
}

/** Throws InvalidEventPatternException. */
export function checkPattern(text: string): string {
  try {
    compilePattern(text);
    return text;
  } catch (error) {
    throw eventsFault('InvalidEventPatternException', `Event pattern is not valid. Reason: ${(error as Error).message}`);
  }
}

/** `at`: Scheduler's, which has `at(...)` and another text for what is none. */
export function checkSchedule(text: string, zone?: string, at = false): string {
  try {
    parseSchedule(text, { at, ...(zone === undefined ? {} : { zone }) });
    return text;
  } catch (error) {
    const { message } = error as Error;
    throw eventsInvalid(at && message === NO_SCHEDULE ? `Invalid Schedule Expression ${clip(text, 256)}.` : message);
  }
}

export function checkJson(text: string, member: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw eventsInvalid(`${member} must be a valid JSON text: ${clip(text)}`);
  }
}

/** One page of a list, and the token of the next. */
export function pageOf<T>(all: readonly T[], nameOf: (one: T) => string, options: { token: string | undefined; most: number | undefined }) {
  const size = options.most ?? limits.eventPage;
  if (!(size >= 1 && size <= limits.eventPage)) throw constraint(String(size), 'limit', `have value between 1 and ${limits.eventPage}`);
  return cutPage(all, nameOf, { size, token: options.token }, () => eventsInvalid('Invalid next token'));
}
