import type { DeleteClusterRequest, DeleteClusterResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { deleteCluster, type IntentDeps } from '#intent/index.ts';
import { clusterArn, clusterName } from '#domain/arn.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function deleteClusterOperation(deps: IntentDeps): Operation<DeleteClusterRequest, DeleteClusterResponse> {
  return {
    name: 'DeleteCluster',
    action: 'ecs:DeleteCluster',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      const cluster = await deleteCluster(deps, context, clusterName(context, input.cluster));
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
