/** Lists by pages, for the APIs whose token names the last item that was given; each checks the size of a page in words of its own. */

type PageWish = { size: number; token: string | undefined };

/**
 * `placeOf` is unique, `all` in whatever order the list has. The token tells where its item stood, too: one that is gone by then ends nobody's
 * walk through the list. Throws what `refuse` makes for a token that no list gave.
 */
export function cutPage<T>(all: readonly T[], placeOf: (item: T) => string, { size, token }: PageWish, refuse: () => Error) {
  const from = token === undefined ? 0 : startOf(all, placeOf, token, refuse);
  const page = all.slice(from, from + size);
  const last = page.at(-1);
  const hasMore = last !== undefined && from + size < all.length;
  return { page, next: hasMore ? Buffer.from(`${from + size - 1}:${placeOf(last)}`).toString('base64url') : undefined };
}

function startOf<T>(all: readonly T[], placeOf: (item: T) => string, token: string, refuse: () => Error): number {
  const [, index, place] = /^(\d{1,9}):(.+)$/s.exec(Buffer.from(token, 'base64url').toString('utf8')) ?? [];
  if (index === undefined) throw refuse();
  const at = all.findIndex((item) => placeOf(item) === place);
  return at < 0 ? Number(index) : at + 1;
}
