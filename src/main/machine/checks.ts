/** What the checks of `berth doctor` are made of. */
import { existsSync } from 'node:fs';
import type { Check } from '#cli/platform.ts';

export const ok = (name: string, detail: string): Check => ({ name, status: 'ok', detail });
export const warn = (name: string, detail: string, fix?: string): Check => ({
  name,
  status: 'warn',
  detail,
  ...(fix === undefined ? {} : { fix }),
});
export const missing = (name: string, detail: string, fix: string): Check => ({ name, status: 'missing', detail, fix });

/** A user's PATH often lacks the sbin directories. */
export function findProgram(command: string): string {
  return (
    ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin'].map((dir) => `${dir}/${command}`).find((path) => existsSync(path)) ?? command
  );
}
