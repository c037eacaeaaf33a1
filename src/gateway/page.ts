/** Lists by pages, for the APIs whose token names where the next page begins; each checks the size of a page in words of its own. */

type PageWish = { size: number; token: string | undefined };

/** The last item that was given, the one after it, and how many were not given yet. */
type Place = [last: string, next: string, left: number];

/**
 * `placeOf` is unique, `all` in whatever order the list has. Whoever deletes items while he walks through the list, page by page maybe, still sees each of the
 * others. Throws what `refuse` makes for a token that no list gave.
 */
export function cutPage<T>(all: readonly T[], placeOf: (item: T) => string, { size, token }: PageWish, refuse: () => Error) {
  const from = token === undefined ? 0 : startOf(all.map(placeOf), readToken(token) ?? raise(refuse));
  const page = all.slice(from, from + size);
  const [last, next] = [page.at(-1), all[from + size]];
  if (last === undefined || next === undefined) return { page, next: undefined };
  const place: Place = [placeOf(last), placeOf(next), all.length - from - size];
  return { page, next: Buffer.from(JSON.stringify(place)).toString('base64url') };
}

function startOf(places: readonly string[], [last, next, left]: Place): number {
  const [after, at] = [places.indexOf(last) + 1, places.indexOf(next)];
  if (after > 0) return after;
  // With neither there: rather one twice than one never.
  return at >= 0 ? at : Math.max(0, places.length - left);
}

function readToken(token: string): Place | undefined {
  try {
    const given: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (!Array.isArray(given)) return undefined;
    const [last, next, left] = given as unknown[];
    return typeof last === 'string' && typeof next === 'string' && Number.isSafeInteger(left) ? [last, next, left as number] : undefined;
  } catch {
    return undefined;
  }
}

function raise(fault: () => Error): never {
  throw fault();
}
