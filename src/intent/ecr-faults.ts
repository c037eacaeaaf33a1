/** ECR's own errors (API reference, version 2015-09-21), and look-ups that throw them. */
import { Fault, type FaultCode } from '#base/fault.ts';
import type { EcrImageRecord, RepositoryRecord } from '#domain/ecr.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';

export function ecrFault(errorName: string, message: string, code: FaultCode = 'InvalidParameter'): Fault {
  return new Fault(code, message, { details: { errorName } });
}

export const invalidEcr = (message: string): Fault => ecrFault('InvalidParameterException', message);

/** ` in the registry with id '...'`, as its texts end. */
export const inRegistry = (name: string, { account }: Scope): string =>
  `the repository with name '${clip(name, 256)}' in the registry with id '${account}'`;

export function repositoryNotFound(scope: Scope, name: string): Fault {
  const text = `The repository with name '${clip(name, 256)}' does not exist in the registry with id '${scope.account}'`;
  return ecrFault('RepositoryNotFoundException', text, 'ResourceNotFound');
}

export async function repositoryOf(tx: ReadTx, { account, region }: Scope, name: string): Promise<RepositoryRecord> {
  const found = await tx.ecrRepositories.get({ account, region, name });
  if (found === undefined) throw repositoryNotFound({ account, region }, name);
  return found;
}

/** How a call names an image: a tag, a digest, or both. */
export type EcrImageId = { tag?: string | undefined; digest?: string | undefined };

export function imageNotFound(scope: Scope, repository: string, { tag, digest }: EcrImageId): Fault {
  const id = `{imageDigest:'${digest ?? 'null'}', imageTag:'${tag ?? 'null'}'}`;
  const text = `The image with imageId ${id} does not exist within the repository with name '${clip(repository, 256)}' in the registry with id '${scope.account}'`;
  return ecrFault('ImageNotFoundException', text, 'ResourceNotFound');
}

/** undefined when there is none; a tag and a digest together must belong together. */
export async function findImage(
  tx: ReadTx,
  { account, region }: Scope,
  repository: string,
  id: EcrImageId,
): Promise<EcrImageRecord | undefined> {
  const of = { account, region, repository };
  const tagged = id.tag === undefined ? undefined : await tx.ecrTags.get({ ...of, tag: id.tag });
  if (id.tag !== undefined && (tagged === undefined || (id.digest !== undefined && id.digest !== tagged.digest))) return undefined;
  const digest = tagged?.digest ?? id.digest;
  return digest === undefined ? undefined : await tx.ecrImages.get({ ...of, digest });
}

export async function imageOf(tx: ReadTx, scope: Scope, repository: string, id: EcrImageId): Promise<EcrImageRecord> {
  const found = await findImage(tx, scope, repository, id);
  if (found === undefined) throw imageNotFound(scope, repository, id);
  return found;
}

export async function tagsOfImage(tx: ReadTx, { account, region, repository, digest }: EcrImageRecord['key']): Promise<string[]> {
  return (await tx.tagsOfDigest({ account, region, repository }, digest)).map(({ key }) => key.tag);
}
