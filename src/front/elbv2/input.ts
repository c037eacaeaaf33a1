/** What the operations' inputs share: enumerations, tags, attributes, pages. */
import { limits } from '#base/limits.ts';
import { elbFault } from '#domain/elb-fault.ts';
import { clip, constraintText } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';

/** A value out of a closed set; `at` is the member's name. Throws AWS's text. */
export function enumValue<T extends string>(value: string, allowed: readonly T[], at: string): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw elbFault('ValidationError', constraintText(value, at, `satisfy enum value set: [${allowed.join(', ')}]`));
}

type TagInput = { Key?: string | undefined; Value?: string | undefined };
const characters = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Throws DuplicateTagKeys, TooManyTags and ValidationError. */
export function tagsOf(input: readonly TagInput[] | undefined): Tag[] {
  const tags = (input ?? []).map(({ Key: key = '', Value: value = '' }) => ({ key, value }));
  for (const { key, value } of tags) {
    if (key === '' || key.length > 128 || value.length > 256 || !characters.test(key) || !characters.test(value)) {
      throw elbFault('ValidationError', `The tag '${clip(key)}' is not valid: keys have 1 to 128 and values up to 256 letters, numbers, spaces and _ . : / = + - @`); // prettier-ignore
    }
    if (/^aws:/i.test(key)) {
      throw elbFault('ValidationError', `Tag keys that begin with 'aws:' are reserved for AWS use; '${clip(key)}' can't be set`);
    }
  }
  if (new Set(tags.map((tag) => tag.key)).size !== tags.length) throw elbFault('DuplicateTagKeys', 'Duplicate tag keys were specified');
  if (tags.length > limits.tagsPerResource) throw elbFault('TooManyTags', `A resource can have up to ${limits.tagsPerResource} tags`);
  return tags;
}

export const tagViews = (tags: readonly Tag[]) => tags.map(({ key, value }) => ({ Key: key, Value: value }));

/** `Attributes` of a Modify call. Throws ValidationError. */
export function attributesOf(input: readonly TagInput[] | undefined): Record<string, string> {
  const pairs = (input ?? []).map(({ Key: key = '', Value: value = '' }): [string, string] => [key, value]);
  if (pairs.length === 0) throw elbFault('ValidationError', 'At least one attribute must be specified');
  const twice = pairs.find(([key], index) => pairs.findIndex(([other]) => other === key) !== index);
  if (twice !== undefined) throw elbFault('ValidationError', `The attribute '${clip(twice[0])}' was provided multiple times`);
  return Object.fromEntries(pairs);
}

export const attributeViews = (attributes: Record<string, string>) => Object.entries(attributes).map(([Key, Value]) => ({ Key, Value }));

/** Up to 20 ARNs, each once. */
export function resourceArns(input: readonly string[] | undefined): string[] {
  const arns = [...new Set(input)];
  if (arns.length === 0 || arns.length > limits.elbTagResources) {
    throw elbFault('ValidationError', `1 to ${limits.elbTagResources} resource ARNs must be specified; these are ${arns.length}`);
  }
  return arns;
}

type PageInput = { Marker?: string | undefined; PageSize?: number | undefined };

/** A call's page out of all items. `idOf` is unique and stable: the marker names the last item that was given. Throws ValidationError. */
export function pageOf<T>(items: readonly T[], idOf: (item: T) => string, input: PageInput): { page: T[]; NextMarker: string | undefined } {
  const size = input.PageSize ?? limits.elbPage;
  if (!(Number.isInteger(size) && size >= 1 && size <= limits.elbPage)) {
    throw elbFault('ValidationError', constraintText(String(size), 'pageSize', `have value between 1 and ${limits.elbPage}`)); // prettier-ignore
  }
  const sorted = items.map((item) => ({ id: idOf(item), item })).sort((a, b) => (a.id < b.id ? -1 : 1));
  const after = decodeMarker(input.Marker);
  const rest = after === undefined ? sorted : sorted.filter(({ id }) => id > after);
  const last = rest.length > size ? rest[size - 1] : undefined;
  return {
    page: rest.slice(0, size).map(({ item }) => item),
    NextMarker: last === undefined ? undefined : Buffer.from(`v1:${last.id}`).toString('base64url'),
  };
}

function decodeMarker(marker: string | undefined): string | undefined {
  if (marker === undefined || marker === '') return undefined;
  const text = Buffer.from(marker, 'base64url').toString('utf8');
  if (!text.startsWith('v1:')) throw elbFault('ValidationError', `The marker '${clip(marker)}' is not valid`);
  return text.slice(3);
}
