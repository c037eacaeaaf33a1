/** Tags as most of AWS's APIs write them (`Key`, `Value`), and as the records have them. */
import type { Tag } from '#domain/task.ts';
import { assertTags } from '#domain/tags.ts';

export type KeyValueTag = { Key?: string | undefined; Value?: string | undefined };

/** Throws InvalidParameter, as `assertTags` does. */
export const readTags = (tags: readonly KeyValueTag[] | undefined): Tag[] =>
  assertTags((tags ?? []).map(({ Key, Value }) => ({ key: Key, value: Value })));

export const tagView = (tags: readonly Tag[]): { Key: string; Value: string }[] =>
  tags.map(({ key, value }) => ({ Key: key, Value: value }));
