/** IAM's pages: Marker and MaxItems. */
import { constraintText } from '#domain/names.ts';
import { iamFault } from '#intent/index.ts';

export type PageInput = { Marker?: string | undefined; MaxItems?: number | undefined };
export type Page<T> = { items: T[]; IsTruncated: boolean; Marker?: string };

const DEFAULT = 100;
const MAX = 1000;

export function pageOf<T>(all: readonly T[], { Marker, MaxItems }: PageInput): Page<T> {
  const size = MaxItems ?? DEFAULT;
  if (!Number.isInteger(size) || size < 1 || size > MAX) {
    throw iamFault('ValidationError', constraintText(String(size), 'maxItems', `have value between 1 and ${MAX}`)); // prettier-ignore
  }
  const from = Marker === undefined ? 0 : Number(Buffer.from(Marker, 'base64').toString());
  if (!Number.isInteger(from) || from < 0) throw iamFault('ValidationError', 'Invalid Marker.');
  const end = from + size;
  const items = all.slice(from, end);
  return end < all.length
    ? { items, IsTruncated: true, Marker: Buffer.from(String(end)).toString('base64') }
    : { items, IsTruncated: false };
}

export const underPath = (prefix: string | undefined) => (record: { path: string }) => record.path.startsWith(prefix ?? '/');
