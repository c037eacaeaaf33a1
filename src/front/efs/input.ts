/** Parts of EFS's requests: values out of a set, pages. */
import { limits } from '#base/limits.ts';
import { constraintText } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';
import { efsFault } from '#intent/index.ts';

export function oneOf<T extends string>(path: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw efsFault('ValidationException', constraintText(value, path, `satisfy enum value set: [${allowed.join(', ')}]`)); // prettier-ignore
}

export const nameOf = (tags: readonly Tag[]): string | undefined => tags.find((tag) => tag.key === 'Name')?.value;

/** One page of a list in order of id, after the id that the marker is, and the marker of the next page. */
export function pageOf<R extends { key: { id: string } }>(all: R[], marker: string | undefined, most: number | undefined) {
  const size = Math.min(most ?? limits.efsPage, limits.efsPage);
  if (size < 1) throw efsFault('BadRequest', `A page must have at least 1 item; ${size} were asked for.`);
  const rest = marker === undefined ? all : all.filter((one) => one.key.id > marker);
  const page = rest.slice(0, size);
  return { page, next: rest.length > size ? page.at(-1)?.key.id : undefined };
}
