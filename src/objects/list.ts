/** A page of a bucket's names, those behind a delimiter rolled up to one prefix. Source: S3 API reference, ListObjectsV2. */
import type { Catalog } from './catalog.ts';
import type { ObjectSummary } from './types.ts';

export type ListWish = {
  bucket: string;
  prefix: string;
  /** '' for none. */
  delimiter: string;
  /** Names that come after this one. */
  after: string | null;
  /** Where a former page ended: `next` of it. */
  token: string | null;
  max: number;
};
export type ListPage = { objects: ObjectSummary[]; prefixes: string[]; next: string | null };

const ROWS = 500;
const ROWS_WITH_DELIMITER = 50;

export function listPage(catalog: Catalog, wish: ListWish): ListPage {
  const prefix = Buffer.from(wish.prefix, 'utf8');
  const delimiter = Buffer.from(wish.delimiter, 'utf8');
  const below = successor(prefix);
  const page: ListPage = { objects: [], prefixes: [], next: null };
  if (wish.max <= 0) return page;
  let from: Buffer | null = startOf(wish, prefix);
  let last: Buffer = prefix;
  const limit = delimiter.length > 0 ? ROWS_WITH_DELIMITER : ROWS;
  while (from !== null) {
    const rows = catalog.list({ bucket: wish.bucket, from, below, limit });
    let skipTo: Buffer | null | undefined;
    for (const row of rows) {
      if (page.objects.length + page.prefixes.length >= wish.max) return { ...page, next: last.toString('base64url') };
      const key = Buffer.from(row.key, 'utf8');
      const cut = delimiter.length === 0 ? -1 : key.indexOf(delimiter, prefix.length);
      if (cut < 0) {
        page.objects.push(row);
        last = Buffer.concat([key, ZERO]);
        continue;
      }
      const common = key.subarray(0, cut + delimiter.length);
      page.prefixes.push(common.toString('utf8'));
      skipTo = successor(common);
      last = skipTo ?? END;
      break;
    }
    if (skipTo !== undefined) from = skipTo;
    else from = rows.length < limit ? null : last;
  }
  return page;
}

const ZERO = Buffer.from([0]);
/** Behind every name: 0xff is no byte of UTF-8. */
const END = Buffer.from([0xff]);

/** The first byte string that is behind all that begin so; null when there is none. */
function successor(prefix: Buffer): Buffer | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, i), Buffer.from([byte + 1])]);
  }
  return null;
}

function startOf({ after, token, delimiter, prefix: name }: ListWish, prefix: Buffer): Buffer {
  const candidates = [prefix];
  if (token !== null) candidates.push(Buffer.from(token, 'base64url'));
  if (after !== null && after !== '') candidates.push(afterName(after, delimiter, name));
  return candidates.reduce((a, b) => (Buffer.compare(a, b) < 0 ? b : a));
}

/** ListObjects gives the last prefix of a page as the next one's marker: its names were told of. */
function afterName(after: string, delimiter: string, prefix: string): Buffer {
  const key = Buffer.from(after, 'utf8');
  const isPrefix = delimiter !== '' && after.startsWith(prefix) && after.length > prefix.length && after.endsWith(delimiter);
  return (isPrefix ? successor(key) : undefined) ?? Buffer.concat([key, ZERO]);
}
