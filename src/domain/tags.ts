/** Tag rules (ECS API reference, "Tag"): at most 50, unique keys of 1-128 characters, values up to 256, `aws:` is AWS's own. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { EXTENSIONS_TAG, parseExtensions } from './extensions.ts';
import { ISOLATION_TAG, isolationWishes } from './isolation.ts';
import { clip } from './names.ts';
import type { Tag } from './task.ts';

const characters = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const KEY_CHARS = 128;
const VALUE_CHARS = 256;

/** Checks tags as they come from a caller. Throws InvalidParameter. */
export function assertTags(tags: readonly { key?: string | undefined; value?: string | undefined }[]): Tag[] {
  const checked = tags.map((tag) => {
    const key = tag.key ?? '';
    const value = tag.value ?? '';
    if (key === '' || key.length > KEY_CHARS) {
      throw new Fault('InvalidParameter', `A tag key must have 1 to ${KEY_CHARS} characters; '${clip(key)}' has ${key.length}.`);
    }
    if (/^aws:/i.test(key)) {
      throw new Fault('InvalidParameter', `Tag keys that begin with 'aws:' are reserved for AWS use; '${clip(key)}' can't be set.`);
    }
    if (value.length > VALUE_CHARS) {
      throw new Fault(
        'InvalidParameter',
        `A tag value may have up to ${VALUE_CHARS} characters; that of '${clip(key)}' has ${value.length}.`,
      );
    }
    if (!characters.test(key) || !characters.test(value)) {
      throw new Fault(
        'InvalidParameter',
        `Tag '${clip(key)}' contains invalid characters: letters, numbers, spaces and _ . : / = + - @ are allowed.`,
      );
    }
    assertOwnTag(key, value);
    return { key, value };
  });
  if (new Set(checked.map((tag) => tag.key)).size !== checked.length) {
    throw new Fault('InvalidParameter', 'Duplicate tag keys are not allowed.');
  }
  return withinLimit(checked);
}

/** `added` over `present`. Throws InvalidParameter past 50. */
export function mergeTags(present: readonly Tag[], added: readonly Tag[]): Tag[] {
  const merged = new Map([...present, ...added].map((tag) => [tag.key, tag.value]));
  return withinLimit([...merged].map(([key, value]) => ({ key, value })));
}

export function withoutTags(present: readonly Tag[], keys: readonly string[]): Tag[] {
  return present.filter((tag) => !keys.includes(tag.key));
}

/** berth's own tags mean something: what can't be meant is refused when it is set, not when it is read. */
function assertOwnTag(key: string, value: string): void {
  if (key === EXTENSIONS_TAG) parseExtensions(value);
  if (key === ISOLATION_TAG && !isolationWishes.some((wish) => wish === value)) {
    throw new Fault(
      'InvalidParameter',
      `'${clip(value)}' is not a value of the tag ${ISOLATION_TAG}: use one of ${isolationWishes.join(', ')}.`,
    );
  }
}

function withinLimit(tags: Tag[]): Tag[] {
  if (tags.length > limits.tagsPerResource) {
    throw new Fault('InvalidParameter', `The maximum number of tags that can be applied is ${limits.tagsPerResource}.`);
  }
  return tags;
}
