/** Pages of a list: `nextToken` is opaque to callers and carries the place after which the next page begins. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type PageWish = { nextToken?: string | undefined; maxResults?: number | undefined };

/** Throws InvalidParameter for a size out of 1 to `most`, or a token that no list gave. */
export function pageStart(wish: PageWish, most: number = limits.listPage): { after: string | undefined; size: number } {
  const size = wish.maxResults ?? most;
  if (!(Number.isInteger(size) && size >= 1 && size <= most)) {
    throw new Fault('InvalidParameter', `maxResults must be between 1 and ${most}; it is ${size}.`);
  }
  return { after: wish.nextToken === undefined ? undefined : decode(wish.nextToken), size };
}

/** `items` in a fixed order; `placeOf` names each item's place in it. */
export function cutPage<T>(
  items: readonly T[],
  wish: PageWish,
  placeOf: (item: T) => string,
  most: number = limits.listPage,
): { page: T[]; nextToken: string | undefined } {
  const { after, size } = pageStart(wish, most);
  const start = after === undefined ? 0 : items.findIndex((item) => placeOf(item) === after) + 1;
  const page = items.slice(start, start + size);
  const last = page.at(-1);
  return { page, nextToken: last === undefined || start + size >= items.length ? undefined : encodeToken(placeOf(last)) };
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
  throw new Fault('InvalidParameter', 'Invalid token: nextToken is not one that this operation returned.');
}
