/**
 * What a bucket's lifecycle rules take: objects after their days, uploads that nobody completes. Source: S3 user guide, "Managing the lifecycle of objects" and
 * "Lifecycle configuration elements".
 */
import { setImmediate } from 'node:timers/promises';
import type { Log } from '#base/log.ts';
import type { LifecycleRule, ObjectSummary, Tag, UploadRecord } from './types.ts';
import { filesOf, type StoreParts } from './write-object.ts';

const DAY_MS = 86_400_000;
const ROWS = 100;

/** Days end at a midnight of UTC, as AWS rounds them up. */
export const daysAfter = (from: number, days: number): number => Math.ceil((from + days * DAY_MS) / DAY_MS) * DAY_MS;

export function isExpired(rules: readonly LifecycleRule[], object: ObjectSummary, tagsOf: () => Tag[], now: number): boolean {
  return rules.some(({ expiration, filter }) => {
    if (expiration === null || now < ('days' in expiration ? daysAfter(object.modifiedAt, expiration.days) : expiration.at)) return false;
    const { prefix, tags, largerThan, smallerThan } = filter;
    if (!object.key.startsWith(prefix ?? '') || object.size <= (largerThan ?? -1) || object.size >= (smallerThan ?? Infinity)) return false;
    return tags.every(({ key, value }) => tagsOf().some((tag) => tag.key === key && tag.value === value));
  });
}

export function isAbandoned(rules: readonly LifecycleRule[], { key, startedAt }: UploadRecord, now: number): boolean {
  return rules.some(
    ({ abortDays, filter }) => abortDays !== null && key.startsWith(filter.prefix ?? '') && now >= daysAfter(startedAt, abortDays),
  );
}

/** Once over all buckets. Each page is looked at and taken in one go: what is written meanwhile is another object. */
export async function applyLifecycles({ catalog, files, clock }: StoreParts, log: Log, isEnding: () => boolean): Promise<void> {
  const rulesOf = (bucket: string) => (catalog.bucket(bucket)?.lifecycle?.rules ?? []).filter(({ enabled }) => enabled);
  for (const { name } of catalog.buckets()) {
    if (isEnding()) return;
    if (rulesOf(name).length === 0) continue;
    const uploads = catalog.uploads(name).filter((upload) => isAbandoned(rulesOf(name), upload, clock.now()));
    const parts = catalog.write(() => {
      const own = uploads.flatMap(({ id }) => catalog.parts(id).map(({ file }) => file));
      for (const { id } of uploads) catalog.removeUpload(id);
      catalog.unuseFiles(own);
      return own;
    });
    await files.drop(parts);
    let objects = 0;
    for (let from: Buffer | null = Buffer.alloc(0); from !== null && !isEnding();) {
      const rows: ObjectSummary[] = catalog.list({ bucket: name, from, below: null, limit: ROWS });
      const rules = rulesOf(name);
      const gone = rows.filter((row) => isExpired(rules, row, () => catalog.object(name, row.key)?.tags ?? [], clock.now()));
      const dropped = catalog.write(() => {
        const own = gone.flatMap(({ key }) => catalog.object(name, key) ?? []).flatMap(filesOf);
        for (const { key } of gone) catalog.removeObject(name, key);
        catalog.unuseFiles(own);
        return own;
      });
      await files.drop(dropped);
      objects += gone.length;
      const last = rows.at(-1);
      from = last === undefined || rows.length < ROWS ? null : Buffer.concat([Buffer.from(last.key, 'utf8'), Buffer.from([0])]);
      await setImmediate();
    }
    if (objects + uploads.length > 0) log.info('objects.expired', { bucket: name, objects, uploads: uploads.length });
  }
}
