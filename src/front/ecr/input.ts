/** Parts of ECR's requests and answers. */
import type { ImageIdentifier } from '@aws-sdk/client-ecr';
import { ecrHost, repositoryArn } from '#domain/ecr.ts';
import { clip } from '#domain/names.ts';
import { cutPage } from '#gateway/page.ts';
import type { CallContext } from '#gateway/types.ts';
import { invalidEcr, type EcrImageId } from '#intent/index.ts';

const PAGE = 100;
const PAGE_MAX = 1000;

const badToken = () => invalidEcr("Invalid parameter at 'nextToken' failed to satisfy constraint: 'must be a token of this list'");

function sizeOf(most = PAGE): number {
  if (most >= 1 && most <= PAGE_MAX) return most;
  throw invalidEcr(`Invalid parameter at 'maxResults' failed to satisfy constraint: 'must be between 1 and ${PAGE_MAX}'`);
}

/** One page, and the token of the next. */
export function pageOf<T>(all: T[], keyOf: (item: T) => string, token: string | undefined, most: number | undefined) {
  const { page, next: nextToken } = cutPage(all, keyOf, { size: sizeOf(most), token }, badToken);
  return { page, nextToken };
}

export type PageWish = { nextToken?: string | undefined; maxResults?: number | undefined };

/** The same of a list that is too long to be read whole: `read` gives what comes behind a place ('': from the beginning), in the order of `placeOf`. */
export async function readPage<T>(
  { nextToken: token, maxResults }: PageWish,
  placeOf: (item: T) => string,
  read: (page: { after: string; limit: number }) => Promise<T[]>,
): Promise<{ page: T[]; nextToken: string | undefined }> {
  const size = sizeOf(maxResults);
  const found = await read({ after: token === undefined ? '' : placeIn(token), limit: size + 1 });
  const page = found.slice(0, size);
  const last = page.at(-1);
  const isMore = last !== undefined && found.length > size;
  return { page, nextToken: isMore ? Buffer.from(JSON.stringify({ after: placeOf(last) })).toString('base64url') : undefined };
}

function placeIn(token: string): string {
  try {
    const { after } = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as { after?: unknown };
    if (typeof after === 'string') return after;
  } catch {
    // Not one of ours: said below.
  }
  throw badToken();
}

export function oneOf<T extends string>(path: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw invalidEcr(
    `Invalid parameter at '${path}' failed to satisfy constraint: 'Member must satisfy enum value set: [${allowed.join(', ')}]', not '${clip(value)}'`,
  );
}

/** Throws where one names neither tag nor digest. */
export function readImageIds(ids: readonly ImageIdentifier[] | undefined): EcrImageId[] {
  const list = ids ?? [];
  if (list.length < 1 || list.length > 100)
    throw invalidEcr("Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have 1 to 100 items'");
  return list.map(({ imageTag: tag, imageDigest: digest }) => {
    if (tag === undefined && digest === undefined) {
      throw invalidEcr("Invalid parameter at 'imageIds' failed to satisfy constraint: 'an image is named by imageTag or imageDigest'");
    }
    return { tag, digest };
  });
}

export const imageIdView = ({ tag, digest }: EcrImageId): ImageIdentifier => ({ imageTag: tag, imageDigest: digest });

/** Where images are pushed to: where the caller reached us, or ECR's own name if that is what it called. */
export function registryHost({ host = '', account, region }: CallContext): string {
  const isAws = host === '' || ecrHost(host) !== null || /\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.test(host);
  return isAws ? `${account}.dkr.ecr.${region}.amazonaws.com` : host;
}

export const repositoryUri = (context: CallContext, name: string): string => `${registryHost(context)}/${name}`;
export const arnOf = ({ account, region }: CallContext, name: string): string => repositoryArn({ account, region, name });
