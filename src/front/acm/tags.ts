/** ACM's tags (`Key`, `Value`) and the house's. */
import type { Tag as AcmTag } from '@aws-sdk/client-acm';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { assertTags, mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';

/** Throws InvalidTagException or TooManyTagsException. */
export function readTags(tags: readonly AcmTag[] | undefined): Tag[] {
  assertCount(tags?.length ?? 0);
  try {
    return assertTags((tags ?? []).map((tag) => ({ key: tag.Key, value: tag.Value })));
  } catch (error) {
    if (!isFault(error, 'InvalidParameter')) throw error;
    throw new Fault('InvalidParameter', error.message, { details: { errorName: 'InvalidTagException' }, cause: error });
  }
}

export function addTags(present: readonly Tag[], added: readonly Tag[]): Tag[] {
  assertCount(new Set([...present, ...added].map((tag) => tag.key)).size);
  return mergeTags(present, added);
}

/** As ACM has it: a tag without a value is removed whatever its value, one with a value only when it is that. */
export function removeTags(present: readonly Tag[], removed: readonly AcmTag[]): Tag[] {
  return present.filter(({ key, value }) => !removed.some((tag) => tag.Key === key && (tag.Value === undefined || tag.Value === value)));
}

export const tagView = (tags: readonly Tag[]): AcmTag[] => tags.map(({ key, value }) => ({ Key: key, Value: value }));

function assertCount(count: number): void {
  if (count <= limits.tagsPerResource) return;
  throw new Fault('InvalidParameter', `A certificate may have at most ${limits.tagsPerResource} tags; that would be ${count}.`, {
    details: { errorName: 'TooManyTagsException' },
  });
}
