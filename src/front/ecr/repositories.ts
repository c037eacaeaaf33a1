/** Repositories: making, finding, changing, their tags. */
import type {
  CreateRepositoryRequest,
  CreateRepositoryResponse,
  DeleteRepositoryRequest,
  DescribeRepositoriesRequest,
  DescribeRepositoriesResponse,
  ImageTagMutabilityExclusionFilter,
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  PutImageScanningConfigurationRequest,
  PutImageScanningConfigurationResponse,
  PutImageTagMutabilityRequest,
  PutImageTagMutabilityResponse,
  Repository,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-ecr';
import { repositoryOfArn, type Mutability, type RepositoryRecord } from '#domain/ecr.ts';
import { clip } from '#domain/names.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import {
  changeRepository,
  createRepository,
  deleteRepository,
  ecrFault,
  invalidEcr,
  repositoryNotFound,
  repositoryOf,
} from '#intent/index.ts';
import { readTags, tagView } from '#gateway/key-value-tags.ts';
import { repositoryResource, type EcrDeps } from './access.ts';
import { arnOf, oneOf, pageOf, repositoryUri } from './input.ts';
import { ecrOperation, factsOf } from './operation.ts';

const mutabilities = ['MUTABLE', 'IMMUTABLE', 'IMMUTABLE_WITH_EXCLUSION', 'MUTABLE_WITH_EXCLUSION'] as const;

export function repositoryOperations(deps: EcrDeps): Operation[] {
  return [
    withTags(
      ecrOperation<CreateRepositoryRequest, CreateRepositoryResponse>(deps, 'CreateRepository', async (input, context) => {
        const wish = {
          ...mutabilityOf(input.imageTagMutability, input.imageTagMutabilityExclusionFilters),
          scanOnPush: input.imageScanningConfiguration?.scanOnPush ?? false,
          encryption: encryptionOf(input.encryptionConfiguration),
          tags: readTags(input.tags),
        };
        return { repository: repositoryView(context, await createRepository(deps, context, input.repositoryName ?? '', wish)) };
      }),
    ),
    ecrOperation<DescribeRepositoriesRequest, DescribeRepositoriesResponse>(deps, 'DescribeRepositories', (input, context) =>
      describe(deps, input, context),
    ),
    ecrOperation<DeleteRepositoryRequest, CreateRepositoryResponse>(deps, 'DeleteRepository', async (input, context) => ({
      repository: repositoryView(context, await deleteRepository(deps, context, input.repositoryName ?? '', input.force === true)),
    })),
    ecrOperation<PutImageTagMutabilityRequest, PutImageTagMutabilityResponse>(deps, 'PutImageTagMutability', async (input, context) => {
      const wish = mutabilityOf(input.imageTagMutability, input.imageTagMutabilityExclusionFilters);
      const { key, mutability, exclusions } = await changeRepository(deps, context, input.repositoryName ?? '', () => wish);
      const imageTagMutabilityExclusionFilters = exclusionView(exclusions);
      return { registryId: key.account, repositoryName: key.name, imageTagMutability: mutability, imageTagMutabilityExclusionFilters };
    }),
    ecrOperation<PutImageScanningConfigurationRequest, PutImageScanningConfigurationResponse>(
      deps,
      'PutImageScanningConfiguration',
      async (input, context) => {
        const scanOnPush = input.imageScanningConfiguration?.scanOnPush ?? false;
        const { key } = await changeRepository(deps, context, input.repositoryName ?? '', () => ({ scanOnPush }));
        return { registryId: key.account, repositoryName: key.name, imageScanningConfiguration: { scanOnPush } };
      },
    ),
    ...tagOperations(deps),
  ];
}

/** Tags that are set with it are a permission of their own. */
function withTags(
  operation: Operation<CreateRepositoryRequest, CreateRepositoryResponse>,
): Operation<CreateRepositoryRequest, CreateRepositoryResponse> {
  return {
    ...operation,
    also: ({ repositoryName = '', tags = [] }, context) =>
      tags.length === 0 ? [] : [{ action: 'ecr:TagResource', resources: [arnOf(context, repositoryName)], facts: factsOf({ tags }) }],
  };
}

async function describe(deps: EcrDeps, input: DescribeRepositoriesRequest, context: CallContext): Promise<DescribeRepositoriesResponse> {
  const { account, region } = context;
  const { repositoryNames: names } = input;
  const records = await deps.store.read(async (tx) =>
    names === undefined || names.length === 0
      ? await tx.ecrRepositories.list({ account, region })
      : await Promise.all(names.map((name) => repositoryOf(tx, context, name))),
  );
  const { page, nextToken } = pageOf(records, ({ key }) => key.name, input.nextToken, names === undefined ? input.maxResults : undefined);
  return { repositories: page.map((record) => repositoryView(context, record)), nextToken };
}

function tagOperations(deps: EcrDeps): Operation[] {
  const of = <In extends { resourceArn: string | undefined }, Out>(
    name: string,
    handle: (repository: string, input: In, context: CallContext) => Promise<Out>,
  ): Operation<In, Out> => ({
    name,
    action: `ecr:${name}`,
    resources: async ({ resourceArn = '' }, context) => {
      const named = repositoryOfArn(resourceArn);
      return [named === null ? '*' : await repositoryResource(deps, context, named.name)];
    },
    facts: (input) => factsOf(input as object),
    async handle(input, context) {
      const arn = input.resourceArn ?? '';
      const named = repositoryOfArn(arn);
      if (named === null)
        throw invalidEcr(
          `Invalid parameter at 'resourceArn' failed to satisfy constraint: '${clip(arn, 200)} is not the ARN of a repository'`,
        );
      if (named.account !== context.account || named.region !== context.region) throw repositoryNotFound(named, named.name);
      return await handle(named.name, input, context);
    },
  });
  return [
    of<TagResourceRequest, object>('TagResource', async (repository, input, context) => {
      const added = readTags(input.tags);
      await changeRepository(deps, context, repository, ({ tags }) => ({ tags: mergeTags(tags, added) }));
      return {};
    }),
    of<UntagResourceRequest, object>('UntagResource', async (repository, input, context) => {
      await changeRepository(deps, context, repository, ({ tags }) => ({ tags: withoutTags(tags, input.tagKeys ?? []) }));
      return {};
    }),
    of<ListTagsForResourceRequest, ListTagsForResourceResponse>('ListTagsForResource', async (repository, _input, context) => ({
      tags: tagView((await deps.store.read((tx) => repositoryOf(tx, context, repository))).tags),
    })),
  ];
}

function mutabilityOf(
  given: string | undefined,
  filters: readonly ImageTagMutabilityExclusionFilter[] | undefined,
): { mutability: Mutability; exclusions: string[] } {
  const mutability = oneOf('imageTagMutability', given ?? 'MUTABLE', mutabilities);
  const exclusions = (filters ?? []).map(({ filterType, filter = '' }) => {
    oneOf('filterType', filterType ?? '', ['WILDCARD']);
    const isPattern = /^[0-9a-zA-Z._*-]{1,128}$/.test(filter) && filter.split('*').length <= 3;
    if (!isPattern)
      throw invalidEcr(
        `Invalid parameter at 'filter' failed to satisfy constraint: '${clip(filter)} must be a tag with at most 2 wildcards'`,
      );
    return filter;
  });
  const wants = mutability.endsWith('_WITH_EXCLUSION');
  if (wants !== exclusions.length > 0 || exclusions.length > 5) {
    throw invalidEcr(
      `Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: '${wants ? '1 to 5 filters' : 'no filters'} with ${mutability}'`,
    );
  }
  return { mutability, exclusions };
}

function encryptionOf(given: CreateRepositoryRequest['encryptionConfiguration']): RepositoryRecord['encryption'] {
  const type = oneOf('encryptionType', given?.encryptionType ?? 'AES256', ['AES256', 'KMS', 'KMS_DSSE']);
  if (given?.kmsKey !== undefined && type === 'AES256')
    throw invalidEcr("Invalid parameter at 'kmsKey' failed to satisfy constraint: 'only with encryptionType KMS'");
  if (type !== 'AES256') {
    const text = `The operation failed due to a KMS exception: berth has no KMS, and so no repository with encryptionType ${type}. Leave encryptionConfiguration out; docs/registry.md tells how images are kept.`;
    throw ecrFault('KmsException', text);
  }
  return { type, kmsKey: null };
}

const exclusionView = (exclusions: string[]): ImageTagMutabilityExclusionFilter[] | undefined =>
  exclusions.length === 0 ? undefined : exclusions.map((filter) => ({ filterType: 'WILDCARD', filter }));

function repositoryView(context: CallContext, { key, ...record }: RepositoryRecord): Repository {
  return {
    repositoryArn: arnOf(context, key.name),
    registryId: key.account,
    repositoryName: key.name,
    repositoryUri: repositoryUri(context, key.name),
    createdAt: new Date(record.createdAt),
    imageTagMutability: record.mutability,
    imageTagMutabilityExclusionFilters: exclusionView(record.exclusions),
    imageScanningConfiguration: { scanOnPush: record.scanOnPush },
    encryptionConfiguration: {
      encryptionType: record.encryption.type as 'AES256' | 'KMS' | 'KMS_DSSE',
      kmsKey: record.encryption.kmsKey ?? undefined,
    },
  };
}
