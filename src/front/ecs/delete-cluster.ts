import type { DeleteClusterRequest, DeleteClusterResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { deleteCluster, type IntentDeps } from '#intent/index.ts';
import { clusterName } from '#domain/arn.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function deleteClusterOperation(deps: IntentDeps): Handler<DeleteClusterRequest, DeleteClusterResponse> {
  return {
    name: 'DeleteCluster',
    async handle(input, context) {
      const cluster = await deleteCluster(deps, context, clusterName(context, input.cluster));
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
