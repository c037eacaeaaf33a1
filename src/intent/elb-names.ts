/** Rules that load balancers and target groups share: names, and what counts as the same settings. */
import { elbFault } from '#domain/elb-fault.ts';
import { clip } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';

const NAME_CHARS = 32;

/** Throws ELBv2's ValidationError. */
export function assertElbName(what: 'load balancer' | 'target group', name: string): void {
  const The = `The ${what} name '${clip(name)}'`;
  if (name === '') throw elbFault('ValidationError', `The ${what} name must not be empty`);
  if (name.length > NAME_CHARS) throw elbFault('ValidationError', `${The} cannot be longer than '${NAME_CHARS}' characters`);
  if (!/^[A-Za-z0-9-]+$/.test(name)) {
    throw elbFault('ValidationError', `${The} can only contain characters that are alphanumeric characters and hyphens(-)`);
  }
  if (name.startsWith('-') || name.endsWith('-')) throw elbFault('ValidationError', `${The} cannot begin or end with a hyphen(-)`);
}

export function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}

export function sameTags(a: readonly Tag[], b: readonly Tag[]): boolean {
  return sameSet(a.map(({ key, value }) => `${key}=${value}`), b.map(({ key, value }) => `${key}=${value}`)); // prettier-ignore
}
