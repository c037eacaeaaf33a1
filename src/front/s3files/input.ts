/** Parts of S3 Files' requests: references, tags, pages. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import { EXPORT_AFTER_TAG, isExportAfter, s3FilesIdsOf } from '#domain/s3-files.ts';
import type { Scope } from '#domain/scope.ts';
import { assertTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';

/** Throws ValidationException. */
export function refuse(path: string, value: unknown, constraint: string): Fault {
  return new Fault('InvalidParameter', `1 validation error detected: Value '${clip(String(value))}' at '${path}' failed to satisfy constraint: ${constraint}`); // prettier-ignore
}

/** The id of a file system that is named by it or by its ARN; one of elsewhere is as unknown as none. */
export const systemIdOf = (scope: Scope, reference = ''): string => {
  const ids = s3FilesIdsOf(scope, reference);
  return ids?.point === undefined ? (ids?.system ?? reference) : reference;
};
export const pointIdOf = (scope: Scope, reference = ''): string => s3FilesIdsOf(scope, reference)?.point ?? reference;
/** Of either. */
export const resourceIdOf = (scope: Scope, reference = ''): string => {
  const ids = s3FilesIdsOf(scope, reference);
  return ids?.point ?? ids?.system ?? reference;
};

export function tagsOf(tags: readonly { key?: string | undefined; value?: string | undefined }[] | undefined): Tag[] {
  const checked = assertTags(tags ?? []);
  const wait = checked.find(({ key }) => key === EXPORT_AFTER_TAG);
  if (wait === undefined || isExportAfter(wait.value)) return checked;
  throw new Fault('InvalidParameter', `The tag ${EXPORT_AFTER_TAG} is a number of seconds from 0 to 3600; '${clip(wait.value)}' is not.`);
}

export const nameOf = (tags: readonly Tag[]): string | undefined => tags.find((tag) => tag.key === 'Name')?.value;

/** One page of a list in order of id, after the id that the token is, and the token of the next page. */
export function pageOf<R extends { key: { id: string } }>(all: R[], token: string | undefined, wanted: number | undefined, most: number) {
  const size = Math.min(wanted ?? limits.efsPage, most);
  if (!(size >= 1)) throw refuse('maxResults', wanted, 'Member must have value greater than or equal to 1');
  const rest = token === undefined ? all : all.filter((one) => one.key.id > token);
  const page = rest.slice(0, size);
  return { page, next: rest.length > size ? page.at(-1)?.key.id : undefined };
}

/** Throws ValidationException for what is no whole number in the range. */
export function integerOf(path: string, value: number | undefined, least: number, most: number): number {
  if (value !== undefined && Number.isInteger(value) && value >= least && value <= most) return value;
  throw refuse(path, value, `Member must be an integer from ${least} to ${most}`);
}
