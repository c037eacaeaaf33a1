/** Limits and tokens of lists. Tokens are opaque to callers. */
import { Fault } from '#base/fault.ts';

/** Checks a `limit` as CloudWatch Logs words it; absent is the most. */
export function pageLimit(limit: number | undefined, most: number): number {
  if (limit === undefined) return most;
  const refuse = (text: string) =>
    new Fault('InvalidParameter', `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: ${text}`);
  if (!(limit >= 1)) throw refuse('Member must have value greater than or equal to 1');
  if (limit > most) throw refuse(`Member must have value less than or equal to ${most}`);
  return Math.floor(limit);
}

export function encodeToken(place: string | undefined): string | undefined {
  return place === undefined ? undefined : Buffer.from(`v1:${place}`).toString('base64url');
}

export function decodeToken(token: string | undefined): { after?: string } {
  if (token === undefined) return {};
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!text.startsWith('v1:')) throw new Fault('InvalidParameter', 'The specified nextToken is invalid.');
  return { after: text.slice(3) };
}
