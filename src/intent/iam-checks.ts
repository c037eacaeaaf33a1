/** What names, paths and documents of IAM may be. Sources: the members' constraints in the API reference; IAM user guide, "IAM and AWS STS quotas". */
import { parsePolicy, type PolicyUse } from '#policy/index.ts';
import { iamFault, limitExceeded } from './iam-faults.ts';
import { constraintText } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';

const TAGS_MAX = 50;

/** `member`: as the API calls it, `roleName`. */
export function assertIamName(member: string, name: string, max: number): void {
  if (!/^[\w+=,.@-]+$/.test(name)) {
    throw iamFault('ValidationError', `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-`); // prettier-ignore
  }
  if (name.length > max) {
    throw iamFault('ValidationError', constraintText(name, member, `have length less than or equal to ${max}`)); // prettier-ignore
  }
}

export function pathOf(path: string | undefined): string {
  const given = path ?? '/';
  if (!/^(?:\/|\/[!-~]+\/)$/.test(given) || given.includes('//') || given.length > 512) {
    throw iamFault('ValidationError', 'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.'); // prettier-ignore
  }
  return given;
}

export function assertDescription(text: string): void {
  if (text.length > 1000) {
    throw iamFault('ValidationError', "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1000"); // prettier-ignore
  }
}

export function sessionSecondsOf(seconds: number | undefined): number {
  const given = seconds ?? 3600;
  if (!Number.isInteger(given) || given < 3600 || given > 43_200) {
    const bound = given < 3600 ? 'greater than or equal to 3600' : 'less than or equal to 43200';
    throw iamFault('ValidationError', `1 validation error detected: Value '${given}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value ${bound}`); // prettier-ignore
  }
  return given;
}

/** White space is free. */
export const documentSize = (text: string) => text.replace(/\s/g, '').length;

/** Throws MalformedPolicyDocument, LimitExceeded. */
export function assertDocument(text: string, use: PolicyUse, max: number, quota: string): void {
  if (documentSize(text) > max) throw limitExceeded(quota);
  parsePolicy(text, use);
}

/** What is there and these, the newer first in doubt. */
export function iamTags(present: Tag[], added: readonly Tag[]): Tag[] {
  for (const { key, value } of added) {
    if (key === '' || key.length > 128 || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u.test(key)) {
      throw iamFault('ValidationError', constraintText(key, 'tags.1.member.key', 'satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+')); // prettier-ignore
    }
    if (value.length > 256) throw iamFault('ValidationError', "1 validation error detected: Value at 'tags.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 256"); // prettier-ignore
    if (/^aws:/i.test(key)) throw iamFault('InvalidInput', 'Tag keys beginning with aws: are reserved for system use.');
  }
  const names = added.map(({ key }) => key.toLowerCase());
  if (new Set(names).size !== names.length) throw iamFault('InvalidInput', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.'); // prettier-ignore
  const kept = present.filter(({ key }) => !names.includes(key.toLowerCase()));
  const all = [...kept, ...added];
  if (all.length > TAGS_MAX) throw limitExceeded(`The number of tags has reached the maximum limit.`);
  return all;
}
