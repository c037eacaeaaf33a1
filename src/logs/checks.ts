/** What CloudWatch Logs refuses, in its words. Source: CloudWatch Logs API reference; constraint texts as its validation writes them. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { LogEvent } from './types.ts';

const DAY_MS = 24 * 3600_000;
/** Values that PutRetentionPolicy takes. */
export const retentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

export const groupMissing = () => new Fault('ResourceNotFound', 'The specified log group does not exist.');
export const streamMissing = () => new Fault('ResourceNotFound', 'The specified log stream does not exist.');
export const invalid = (message: string) => new Fault('InvalidParameter', message);

export function constraint(value: string, member: string, text: string): Fault {
  return invalid(`1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${text}`);
}

export function assertGroupName(name: string): void {
  assertLength(name, 'logGroupName');
  if (!/^[.\-_/#A-Za-z0-9]+$/.test(name)) {
    throw constraint(name, 'logGroupName', String.raw`Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`);
  }
}

export function assertStreamName(name: string): void {
  assertLength(name, 'logStreamName');
  if (/[:*]/.test(name)) throw constraint(name, 'logStreamName', 'Member must satisfy regular expression pattern: [^:*]*');
}

function assertLength(name: string, member: string): void {
  if (name.length < 1) throw constraint(name, member, 'Member must have length greater than or equal to 1');
  if (name.length > 512) throw constraint(name.slice(0, 512), member, 'Member must have length less than or equal to 512');
}

/** Protection holds for a group and for its streams. */
export function assertDeletable({ name, isProtected }: { name: string; isProtected: boolean }): void {
  if (!isProtected) return;
  const text = `The log group '${name}' has deletion protection enabled. Disable deletion protection before deleting it or its log streams.`;
  throw new Fault('Conflict', text, { details: { errorName: 'ValidationException' } });
}

export function assertRetention(days: number): void {
  if (!retentionDays.includes(days)) {
    throw constraint(String(days), 'retentionInDays', `Member must satisfy enum value set: [${retentionDays.join(', ')}]`);
  }
}

/** Tags after a change: CloudWatch Logs takes 50 of them. */
export function assertTags(tags: Record<string, string>): void {
  const keys = Object.keys(tags);
  if (keys.length > 50) throw new Fault('LimitExceeded', 'A log group can have no more than 50 tags.', { details: { errorName: 'TooManyTagsException' } }); // prettier-ignore
  const wrong = keys.find((key) => key.length < 1 || key.length > 128 || key.startsWith('aws:') || (tags[key] ?? '').length > 256);
  if (wrong !== undefined) throw invalid(`Invalid tag '${wrong.slice(0, 128)}': keys have 1 to 128 characters and do not begin with 'aws:', values have up to 256.`); // prettier-ignore
}

export type Rejected = { tooOldEnd?: number; tooNewStart?: number; expiredEnd?: number };

/** Checks a PutLogEvents batch as a whole, and says which part of it is too old, expired, or too new. */
export function checkBatch(events: LogEvent[], now: number, retention: number | null): { accepted: LogEvent[]; rejected: Rejected } {
  if (events.length === 0) throw constraint('[]', 'logEvents', 'Member must have length greater than or equal to 1');
  if (events.length > limits.logPutEvents) {
    throw constraint(`[${events.length} events]`, 'logEvents', `Member must have length less than or equal to ${limits.logPutEvents}`);
  }
  let bytes = 0;
  events.forEach((event, i) => {
    const size = Buffer.byteLength(event.message) + limits.logEventOverheadBytes;
    if (event.message === '') throw constraint('', `logEvents.${i + 1}.member.message`, 'Member must have length greater than or equal to 1'); // prettier-ignore
    if (size > limits.logEventBytes) throw invalid(`Log event too large: ${size} bytes exceeds limit of ${limits.logEventBytes}`);
    if (!Number.isInteger(event.timestamp) || event.timestamp < 0) {
      throw constraint(String(event.timestamp), `logEvents.${i + 1}.member.timestamp`, 'Member must have value greater than or equal to 0'); // prettier-ignore
    }
    if (event.timestamp < (events[i - 1]?.timestamp ?? 0)) {
      throw invalid('Log events in a single PutLogEvents request must be in chronological order.');
    }
    bytes += size;
  });
  if (bytes > limits.logPutBytes) throw invalid(`Upload too large: ${bytes} bytes exceeds limit of ${limits.logPutBytes}`);
  if ((events.at(-1)?.timestamp ?? 0) - (events[0]?.timestamp ?? 0) > DAY_MS) {
    throw invalid('The batch of log events in a single PutLogEvents request cannot span more than 24 hours.');
  }
  return split(events, now, retention);
}

function split(events: LogEvent[], now: number, retention: number | null): { accepted: LogEvent[]; rejected: Rejected } {
  const count = (before: number) => events.filter((event) => event.timestamp < before).length;
  const tooOld = count(now - 14 * DAY_MS);
  const expired = retention === null ? 0 : count(now - retention * DAY_MS);
  const tooNew = count(now + 2 * 3600_000 + 1);
  return {
    accepted: events.slice(Math.max(tooOld, expired), tooNew),
    rejected: {
      ...(tooOld > 0 ? { tooOldEnd: tooOld } : {}),
      ...(expired > 0 ? { expiredEnd: expired } : {}),
      ...(tooNew < events.length ? { tooNewStart: tooNew } : {}),
    },
  };
}

/** Events before this are gone for readers, whether or not they were swept yet. */
export function retentionStart(retention: number | null, now: number): number {
  return retention === null ? 0 : now - retention * DAY_MS;
}
