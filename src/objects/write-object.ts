/** The step of a name from one object to another, which is one transaction. */
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Catalog } from './catalog.ts';
import { noBucket, noKey, s3Fault } from './faults.ts';
import type { Files } from './files.ts';
import type { BucketRecord, ObjectRecord, Piece, WriteCondition } from './types.ts';

export type StoreParts = { catalog: Catalog; files: Files; clock: Clock; random: Random };

/** Objects have whole seconds: HTTP's dates know no others, and conditions compare with them. */
export const now = (clock: Clock): number => Math.floor(clock.now() / 1000) * 1000;

export const filesOf = ({ pieces }: Pick<ObjectRecord, 'pieces'>): string[] => pieces.map(([file]) => file);

/** A name's step from the former object to the new one. `fresh`: files that aren't in the catalog yet. `beside`: what else the transaction does; it returns files that go. */
export async function writeObject(
  { catalog, files }: Pick<StoreParts, 'catalog' | 'files'>,
  bucket: string,
  record: ObjectRecord,
  condition: WriteCondition,
  fresh: Piece[],
  beside: () => string[] = () => [],
): Promise<void> {
  const names = fresh.map(([file]) => file);
  let dropped: string[];
  try {
    dropped = await catalog.commit(() => {
      existing(catalog, bucket);
      const former = catalog.object(bucket, record.key);
      assertCondition(former, record.key, condition);
      for (const file of names) catalog.useFile(file);
      const gone = [...(former === undefined ? [] : filesOf(former)), ...beside()];
      catalog.unuseFiles(gone);
      catalog.putObject(bucket, record);
      return gone;
    });
  } catch (error) {
    await files.drop(names);
    throw error;
  }
  for (const file of names) files.keep(file);
  await files.drop(dropped);
}

export function assertCondition(former: ObjectRecord | undefined, key: string, { ifNoneMatch, ifMatch }: WriteCondition): void {
  const failed = (condition: string) =>
    s3Fault('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: condition });
  if (ifNoneMatch !== undefined && former !== undefined) throw failed('If-None-Match');
  if (ifMatch === undefined) return;
  if (former === undefined) throw noKey(key);
  if (ifMatch !== '*' && ifMatch !== former.etag) throw failed('If-Match');
}

export function existing(catalog: Catalog, name: string): BucketRecord {
  const found = catalog.bucket(name);
  if (found === undefined) throw noBucket(name);
  return found;
}
