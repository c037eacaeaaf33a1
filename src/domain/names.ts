/** Names that users give (ECS API reference): letters, digits, hyphens and underscores, at most 255 characters. */
import { Fault } from '#base/fault.ts';
import type { FaultCode } from '#base/fault.ts';

const nameRule = /^[A-Za-z0-9_-]{1,255}$/;

export function isName(text: string): boolean {
  return nameRule.test(text);
}

export function assertClusterName(name: string): void {
  if (!isName(name)) {
    throw new Fault(
      'InvalidParameter',
      `Invalid cluster name '${clip(name)}': up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.`,
    );
  }
}

/** Text with a bound on its characters; `pattern` holds for the whole of it. */
export function assertText(
  value: string | undefined,
  rule: { what: string; min?: number; max: number; pattern?: RegExp },
  code: FaultCode = 'InvalidParameter',
): void {
  if (value === undefined) return;
  if (value.length < (rule.min ?? 0) || value.length > rule.max) {
    throw new Fault(code, `${rule.what} must have ${rule.min ?? 0} to ${rule.max} characters; '${clip(value)}' has ${value.length}.`);
  }
  if (rule.pattern !== undefined && !rule.pattern.test(value)) {
    throw new Fault(code, `${rule.what} '${clip(value)}' contains invalid characters.`);
  }
}

/** Keeps an error's text short whatever the caller sent. */
export function clip(text: string, chars = 80): string {
  return text.length <= chars ? text : `${text.slice(0, chars)}...`;
}

/** What a member breaks, as the frameworks of AWS's services say it. */
export function constraintText(value: string, member: string, what: string): string {
  return `1 validation error detected: Value '${clip(value)}' at '${member}' failed to satisfy constraint: Member must ${what}`;
}

/** Names of services follow the rule of clusters' (API reference, CreateService). */
export function assertServiceName(name: string): void {
  if (!isName(name)) {
    throw new Fault(
      'InvalidParameter',
      `Invalid service name '${clip(name)}': up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.`,
    );
  }
}
