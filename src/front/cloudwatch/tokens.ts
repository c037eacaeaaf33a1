/** Tokens of lists, opaque to callers: which list, and how far it was told. */
import { invalidToken, invalidValue } from './errors.ts';

export type ListName = 'metrics' | 'points' | 'history';

export function encodeToken(list: ListName, place: number): string {
  return Buffer.from(`${list}:${place}`).toString('base64url');
}

/** Of lists whose operations have no InvalidNextToken. */
export const otherList = () => invalidValue('The value for field NextToken is not one of this list.');

/** 0 without a token. Throws InvalidNextToken, or InvalidParameterValue, for one of another list. */
export function decodeToken(list: ListName, token: string | undefined): number {
  if (token === undefined) return 0;
  const [name, place = ''] = Buffer.from(token, 'base64url').toString().split(':');
  if (name !== list || !/^\d{1,15}$/.test(place)) throw list === 'metrics' ? otherList() : invalidToken();
  return Number(place);
}
