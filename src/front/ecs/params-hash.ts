/** What stands for the parameters of an idempotent call. */
import { createHash } from 'node:crypto';

/** Of all of a call's parameters but its token, in whatever order they came. */
export function paramsHash(input: { clientToken?: string | undefined; ClientToken?: string | undefined }): string {
  const { clientToken: _token, ClientToken: _schedulers, ...parameters } = input;
  return createHash('sha256').update(canonical(parameters)).digest('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null || value instanceof Date) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}
