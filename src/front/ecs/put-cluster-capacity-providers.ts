import type { PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { putClusterCapacityProviders, type IntentDeps } from '#intent/index.ts';
import { clusterArn, clusterName } from '#domain/arn.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function putClusterCapacityProvidersOperation(
  deps: IntentDeps,
): Operation<PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse> {
  return {
    name: 'PutClusterCapacityProviders',
    action: 'ecs:PutClusterCapacityProviders',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      const name = clusterName(context, input.cluster);
      const { capacityProviders = [], defaultCapacityProviderStrategy = [] } = input;
      const cluster = await putClusterCapacityProviders(deps, context, name, capacityProviders, defaultCapacityProviderStrategy);
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
