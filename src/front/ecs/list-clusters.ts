import type { ListClustersRequest, ListClustersResponse } from '@aws-sdk/client-ecs';
import { clusterArn } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { cutPage } from './page.ts';

export function listClustersOperation(deps: IntentDeps): Handler<ListClustersRequest, ListClustersResponse> {
  return {
    name: 'ListClusters',
    async handle(input, { account, region }) {
      const records = await deps.store.read((tx) => tx.clusters.list({ account, region }));
      const active = records.filter((record) => record.status === 'ACTIVE');
      const { page, nextToken } = cutPage(active, input, (record) => record.key.name);
      return { clusterArns: page.map((record) => clusterArn(record.key, record.key.name)), nextToken };
    },
  };
}
