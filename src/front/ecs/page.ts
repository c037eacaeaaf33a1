/** Pages of a list: `nextToken` is opaque to callers and carries the place after which the next page begins. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { cutPage as cut } from '#gateway/page.ts';

export type PageWish = { nextToken?: string | undefined; maxResults?: number | undefined };

/** Throws InvalidParameter for a size out of 1 to `most`, or a token that no list gave. */
export function pageStart(wish: PageWish, most: number = limits.listPage): { after: string | undefined; size: number } {
  return { size: pageSize(wish, most), after: wish.nextToken === undefined ? undefined : decode(wish.nextToken) };
}

function pageSize({ maxResults: size }: PageWish, most: number): number {
  if (size === undefined) return most;
  if (Number.isInteger(size) && size >= 1 && size <= most) return size;
  throw new Fault('InvalidParameter', `maxResults must be between 1 and ${most}; it is ${size}.`);
}

/** `items` in a fixed order; `placeOf` names each item's place in it. Throws as `pageStart`. */
export function cutPage<T>(
  items: readonly T[],
  wish: PageWish,
  placeOf: (item: T) => string,
  most: number = limits.listPage,
): { page: T[]; nextToken: string | undefined } {
  const { page, next: nextToken } = cut(items, placeOf, { size: pageSize(wish, most), token: wish.nextToken }, badToken);
  return { page, nextToken };
}

export function encodeToken(place: string): string {
  return Buffer.from(JSON.stringify({ after: place })).toString('base64url');
}

function decode(token: string): string {
  try {
    const { after } = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as { after?: unknown };
    if (typeof after === 'string') return after;
  } catch {
    // Not one of ours: said below.
  }
  throw badToken();
}

const badToken = () => new Fault('InvalidParameter', 'Invalid token: nextToken is not one that this operation returned.');
