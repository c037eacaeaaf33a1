/** Tags of buckets and objects. Source: S3 user guide, "Categorizing your objects using tags". */
import { s3Fault, type Tag } from '#objects/index.ts';

type Given = { Key: string | undefined; Value: string | undefined };

export function readTags(given: Given[] | undefined, max: number): Tag[] {
  const tags = (given ?? []).map(({ Key, Value }) => ({ key: Key ?? '', value: Value ?? '' }));
  const wrong = (message: string, key?: string) => s3Fault('InvalidTag', message, key === undefined ? {} : { TagKey: key.slice(0, 200) });
  if (tags.length > max) throw s3Fault('BadRequest', max === 10 ? 'Object tags cannot be greater than 10' : `Bucket tag count cannot be greater than ${max}`); // prettier-ignore
  for (const { key, value } of tags) {
    if (key === '' || key.length > 128 || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(key))
      throw wrong('The TagKey you have provided is invalid', key);
    if (value.length > 256 || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(value)) throw wrong('The TagValue you have provided is invalid', key);
    if (key.toLowerCase().startsWith('aws:')) throw wrong('System tags cannot be added/updated by requester', key);
  }
  if (new Set(tags.map(({ key }) => key)).size !== tags.length) throw wrong('Cannot provide multiple Tags with the same key');
  return tags;
}

/** `x-amz-tagging: a=1&b=2` */
export function headerTags(text: string | undefined, max: number): Tag[] {
  if (text === undefined || text === '') return [];
  return readTags([...new URLSearchParams(text)].map(([Key, Value]) => ({ Key, Value })), max); // prettier-ignore
}

export const tagView = (tags: Tag[]) => tags.map(({ key, value }) => ({ Key: key, Value: value }));
