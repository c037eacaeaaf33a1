/** The wish for a kind of sandbox: the tag `berth:isolation` on the RunTask call, else on the task definition. */
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import { tagValue } from '#domain/tags.ts';
import type { IsolationWish } from '#domain/task-spec.ts';
import type { Tag } from '#domain/task.ts';

export const ISOLATION_TAG = 'berth:isolation';
const wishes: readonly IsolationWish[] = ['auto', 'container', 'gvisor', 'microvm'];

/** `auto` when nobody asked. Throws InvalidParameter that names the allowed values. */
export function isolationWish(callTags: Tag[], definitionTags: Tag[]): IsolationWish {
  const asked = tagValue(callTags, ISOLATION_TAG) ?? tagValue(definitionTags, ISOLATION_TAG) ?? 'auto';
  const wish = wishes.find((candidate) => candidate === asked);
  if (wish === undefined) {
    throw new Fault('InvalidParameter', `'${clip(asked)}' is not a value of the tag ${ISOLATION_TAG}: use one of ${wishes.join(', ')}.`);
  }
  return wish;
}
