/** Tokens of lists, opaque to callers: which list, and how far it was told. */
import { invalidToken } from './errors.ts';

export type ListName = 'metrics' | 'points' | 'alarms' | 'dashboards';

export function encodeToken(list: ListName, place: number): string {
  return Buffer.from(`${list}:${place}`).toString('base64url');
}

/** 0 without a token. Throws InvalidNextToken for one of another list. */
export function decodeToken(list: ListName, token: string | undefined): number {
  if (token === undefined) return 0;
  const [name, place = ''] = Buffer.from(token, 'base64url').toString().split(':');
  if (name !== list || !/^\d{1,15}$/.test(place)) throw invalidToken();
  return Number(place);
}
