import type { Tag } from './task.ts';

/** The value of a tag; undefined when it isn't set. */
export function tagValue(tags: readonly Tag[], key: string): string | undefined {
  return tags.find((tag) => tag.key === key)?.value;
}
