import type { DescribeTagsRequest, DescribeTagsResult, ResourceType } from '@aws-sdk/client-ec2';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { select, type ResourceKind } from './selection.ts';

type Item = Tag & { resource: string; type: ResourceType };

const kind: ResourceKind<Item> = {
  noun: 'tag',
  code: 'InvalidParameterValue',
  malformedCode: 'InvalidParameterValue',
  prefix: '',
  id: ({ resource, key }) => `${resource}/${key}`,
  tags: ({ key, value }) => [{ key, value }],
  filters: {
    key: ({ key }) => [key],
    value: ({ value }) => [value],
    'resource-id': ({ resource }) => [resource],
    'resource-type': ({ type }) => [type],
  },
};

export const describeTagsOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeTagsRequest, DescribeTagsResult>('DescribeTags', async (input, context) => {
    const items = await store.read((tx) => allTags(tx, scopeOf(context)));
    const { page, nextToken } = select(kind, items, {
      filters: input.Filters,
      maxResults: input.MaxResults,
      nextToken: input.NextToken,
    });
    const Tags = page.map(({ key, value, resource, type }) => ({ Key: key, Value: value, ResourceId: resource, ResourceType: type }));
    return { Tags, NextToken: nextToken };
  });

async function allTags(tx: ReadTx, scope: Scope): Promise<Item[]> {
  const kept: [ResourceType, { key: { id: string }; tags: Tag[] }[]][] = [
    ['vpc', await tx.vpcs.list(scope)],
    ['subnet', await tx.subnets.list(scope)],
    ['security-group', await tx.securityGroups.list(scope)],
    ['security-group-rule', await tx.securityGroupRules.list(scope)],
    ['route-table', await tx.routeTables.list(scope)],
    ['internet-gateway', await tx.internetGateways.list(scope)],
    ['volume', (await tx.volumes.list(scope)).map(tagged)],
    ['snapshot', (await tx.snapshots.list(scope)).filter(({ desired }) => desired.deletedAt === null).map(tagged)],
  ];
  return kept.flatMap(([type, records]) =>
    records.flatMap(({ key: { id }, tags }) => tags.map(({ key, value }) => ({ key, value, resource: id, type }))),
  );
}

const tagged = ({ key, desired }: { key: { id: string }; desired: { tags: Tag[] } }) => ({ key, tags: desired.tags });
