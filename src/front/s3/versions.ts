/** Buckets here have no versions: each object is its only one, which S3 calls `null`. */
import { s3Fault } from '#objects/index.ts';

export const ONLY_VERSION = 'null';

/** Throws NoSuchVersion for any other. */
export function assertNoVersion(version: string | undefined): void {
  if (version === undefined || version === ONLY_VERSION) return;
  throw s3Fault('NoSuchVersion', 'The specified version does not exist.', { VersionId: version.slice(0, 200) });
}
