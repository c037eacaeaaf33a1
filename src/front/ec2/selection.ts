/**
 * What every Describe call of EC2 shares: ids that must exist, filters with `*` and `?`, tags, pages. Filters of one call must all hold;
 * of a filter's values, one.
 */
import { Fault } from '#base/fault.ts';
import type { Tag } from '#domain/task.ts';

export type FilterWish = { Name?: string | undefined; Values?: string[] | undefined };

/** A kind of resource: how it is named in errors, and which filters it knows. */
export type ResourceKind<T> = {
  /** In messages: `vpc ID`, `subnet ID`, `security group`. */
  noun: string;
  /** In codes: `InvalidVpcID` of `InvalidVpcID.NotFound`. */
  code: string;
  malformedCode: string;
  /** `vpc-` */
  prefix: string;
  id(item: T): string;
  tags(item: T): Tag[];
  /** The values that a filter looks at, by the filter's name. */
  filters: Record<string, (item: T) => (string | undefined)[]>;
};

export type SelectionWish = {
  ids?: string[] | undefined;
  filters?: FilterWish[] | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
};

const PAGE_MAX = 1000;

/** Cuts a call's page out of all items. Throws EC2's errors for unknown ids, filters and tokens. */
export function select<T>(kind: ResourceKind<T>, items: T[], wish: SelectionWish): { page: T[]; nextToken: string | undefined } {
  const sorted = items.toSorted((a, b) => (kind.id(a) < kind.id(b) ? -1 : 1));
  const named = wish.ids === undefined || wish.ids.length === 0 ? sorted : withIds(kind, sorted, wish.ids);
  const tests = (wish.filters ?? []).map((filter) => compileFilter(kind, filter));
  const found = named.filter((item) => tests.every((test) => test(item)));
  const size = wish.maxResults ?? PAGE_MAX;
  if (!(size >= 5 && size <= PAGE_MAX)) {
    throw new Fault('InvalidParameter', `Value ( ${size} ) for parameter maxResults is invalid. Expecting a value greater than 5 and less than ${PAGE_MAX}.`); // prettier-ignore
  }
  const after = decodeToken(wish.nextToken);
  const rest = after === undefined ? found : found.filter((item) => kind.id(item) > after);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    page,
    nextToken: rest.length > size && last !== undefined ? Buffer.from(`v1:${kind.id(last)}`).toString('base64url') : undefined,
  };
}

function withIds<T>(kind: ResourceKind<T>, items: T[], ids: string[]): T[] {
  const malformed = ids.find((id) => !new RegExp(`^${kind.prefix}([0-9a-f]{8}|[0-9a-f]{17})$`).test(id));
  if (malformed !== undefined) {
    throw new Fault('InvalidParameter', `Invalid id: "${malformed.slice(0, 100)}" (expecting "${kind.prefix}...")`, {
      details: { errorName: kind.malformedCode },
    });
  }
  const byId = new Map(items.map((item) => [kind.id(item), item]));
  const missing = ids.filter((id) => !byId.has(id));
  if (missing.length > 0) {
    const text =
      missing.length === 1 ? `The ${kind.noun} '${missing[0]}' does not exist` : `The ${kind.noun}s '${missing.join(', ')}' do not exist`;
    throw new Fault('ResourceNotFound', text, { details: { errorName: `${kind.code}.NotFound` } });
  }
  return items.filter((item) => ids.includes(kind.id(item)));
}

function compileFilter<T>(kind: ResourceKind<T>, { Name: name = '', Values: values = [] }: FilterWish): (item: T) => boolean {
  const matchers = values.map(wildcard);
  const read = filterValues(kind, name);
  if (read === undefined) throw new Fault('InvalidParameter', `The filter '${name.slice(0, 100)}' is invalid`);
  return (item) => read(item).some((value) => value !== undefined && matchers.some((matches) => matches(value)));
}

function filterValues<T>(kind: ResourceKind<T>, name: string): ((item: T) => (string | undefined)[]) | undefined {
  if (name === 'tag-key') return (item) => kind.tags(item).map((tag) => tag.key);
  if (name.startsWith('tag:')) {
    const key = name.slice(4);
    return (item) => kind.tags(item).filter((tag) => tag.key === key).map((tag) => tag.value); // prettier-ignore
  }
  return Object.hasOwn(kind.filters, name) ? kind.filters[name] : undefined;
}

/** `*` is any text, `?` one character, a backslash takes their meaning away. Compared in linear time and one step back. */
function wildcard(pattern: string): (text: string) => boolean {
  const parts: ({ literal: string } | '*' | '?')[] = [];
  for (const [part] of pattern.matchAll(/\\[\s\S]|[\s\S]/g)) {
    parts.push(part === '*' || part === '?' ? part : { literal: part.length === 2 ? part.slice(1) : part });
  }
  return (text) => {
    let at = 0;
    let part = 0;
    let star = -1;
    let starAt = 0;
    while (at < text.length) {
      const wanted = parts[part];
      if (wanted === '*') {
        star = part++;
        starAt = at;
      } else if (wanted === '?' || (wanted !== undefined && wanted.literal === text[at])) {
        at++;
        part++;
      } else if (star >= 0) {
        part = star + 1;
        at = ++starAt;
      } else {
        return false;
      }
    }
    while (parts[part] === '*') part++;
    return part === parts.length;
  };
}

function decodeToken(token: string | undefined): string | undefined {
  if (token === undefined || token === '') return undefined;
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!text.startsWith('v1:')) throw new Fault('InvalidParameter', 'The pagination token is invalid.', { details: { errorName: 'InvalidNextToken' } }); // prettier-ignore
  return text.slice(3);
}

export const tagViews = (tags: Tag[]) => tags.map(({ key, value }) => ({ Key: key, Value: value }));
