/** IAM's pages: Marker and MaxItems. */
import { constraintText } from '#domain/names.ts';
import { cutPage } from '#gateway/page.ts';
import { iamFault } from '#intent/index.ts';

export type PageInput = { Marker?: string | undefined; MaxItems?: number | undefined };
export type Page<T> = { items: T[]; IsTruncated: boolean; Marker?: string };

const DEFAULT = 100;
const MAX = 1000;

/** `placeOf` is unique. */
export function pageOf<T>(all: readonly T[], { Marker, MaxItems }: PageInput, placeOf: (item: T) => string): Page<T> {
  const size = MaxItems ?? DEFAULT;
  if (!Number.isInteger(size) || size < 1 || size > MAX) {
    throw iamFault('ValidationError', constraintText(String(size), 'maxItems', `have value between 1 and ${MAX}`)); // prettier-ignore
  }
  const { page, next } = cutPage(all, placeOf, { size, token: Marker }, () => iamFault('ValidationError', 'Invalid Marker.'));
  return next === undefined ? { items: page, IsTruncated: false } : { items: page, IsTruncated: true, Marker: next };
}

export const underPath = (prefix: string | undefined) => (record: { path: string }) => record.path.startsWith(prefix ?? '/');
