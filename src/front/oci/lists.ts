/** Lists: tags, referrers, repositories. Source: distribution-spec 1.1, "Listing Tags", "Listing Referrers"; Docker's registry API, "Catalog". */
import { Fault } from '#base/fault.ts';
import { DIGEST, manifestTypes } from '#domain/ecr-manifest.ts';
import type { HttpAnswer } from '#gateway/types.ts';
import { repositoryOf } from '#intent/index.ts';
import type { RegistryPage } from '#store/types.ts';
import { assertOnRepository } from '../ecr/access.ts';
import type { OciCall } from './index.ts';

const PAGE = 1000;
const ALL = 1_000_000_000;

export async function tagList(oci: OciCall, repository: string): Promise<HttpAnswer> {
  const { deps, context } = oci;
  await assertOnRepository(deps, context, 'ecr:ListImages', repository);
  const of = { account: context.account, region: context.region, repository };
  return await deps.store.read(async (tx) => {
    await repositoryOf(tx, context, repository);
    const read = async (wish: RegistryPage) => (await tx.tagPage(of, wish)).map(({ key }) => key.tag);
    return await page(oci, `/v2/${repository}/tags/list`, read, (names) => ({ name: repository, tags: names }));
  });
}

export async function catalog(oci: OciCall): Promise<HttpAnswer> {
  const { deps, context } = oci;
  await context.assertAllowed('ecr:DescribeRepositories', ['*']);
  const all = await deps.store.read((tx) => tx.ecrRepositories.list({ account: context.account, region: context.region }));
  const names = all.map(({ key }) => key.name);
  const read = async ({ after, limit }: RegistryPage) => names.filter((name) => name > after).slice(0, limit);
  return await page(oci, '/v2/_catalog', read, (repositories) => ({ repositories }));
}

/** `read`: names in order, as the store keeps them. */
async function page(
  { query }: OciCall,
  path: string,
  read: (page: RegistryPage) => Promise<string[]>,
  show: (names: string[]) => object,
): Promise<HttpAnswer> {
  const wanted = query.get('n');
  if (wanted !== null && !/^\d{1,9}$/.test(wanted)) throw new Fault('InvalidParameter', `n must be a number, not '${wanted.slice(0, 40)}'`);
  const size = wanted === null ? ALL : Math.min(Number(wanted), PAGE);
  const rest = await read({ after: query.get('last') ?? '', limit: size + 1 });
  const shown = rest.slice(0, size);
  const end = shown.at(-1);
  const more = end !== undefined && rest.length > size;
  const headers = {
    'Content-Type': 'application/json',
    ...(more ? { Link: `<${path}?n=${size}&last=${encodeURIComponent(end)}>; rel="next"` } : {}),
  };
  return { status: 200, headers, body: JSON.stringify(show(shown)) };
}

/** An index of the manifests whose `subject` is this digest; empty also where nothing has it. */
export async function referrers({ deps, context, query }: OciCall, repository: string, digest: string): Promise<HttpAnswer> {
  await assertOnRepository(deps, context, 'ecr:ListImageReferrers', repository);
  if (!DIGEST.test(digest)) throw new Fault('InvalidParameter', `'${digest.slice(0, 140)}' is no digest`, { details: { kind: 'digest' } });
  const images = await deps.store.read(async (tx) => {
    await repositoryOf(tx, context, repository);
    return await tx.imagesNaming({ account: context.account, region: context.region, repository }, digest);
  });
  const type = query.get('artifactType');
  const manifests = images
    .filter(({ subject }) => subject === digest)
    .map(({ key, mediaType, sizeBytes, artifactType, configMediaType, annotations }) => ({
      mediaType,
      digest: key.digest,
      size: sizeBytes,
      artifactType: artifactType ?? configMediaType ?? undefined,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    }))
    .filter(({ artifactType }) => type === null || artifactType === type);
  const headers = { 'Content-Type': manifestTypes.ociIndex, ...(type === null ? {} : { 'OCI-Filters-Applied': 'artifactType' }) };
  return { status: 200, headers, body: JSON.stringify({ schemaVersion: 2, mediaType: manifestTypes.ociIndex, manifests }) };
}
