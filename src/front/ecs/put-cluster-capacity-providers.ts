import type { PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { putClusterCapacityProviders, type IntentDeps } from '#intent/index.ts';
import { clusterName } from '#domain/arn.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function putClusterCapacityProvidersOperation(
  deps: IntentDeps,
): Handler<PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse> {
  return {
    name: 'PutClusterCapacityProviders',
    async handle(input, context) {
      const name = clusterName(context, input.cluster);
      const { capacityProviders = [], defaultCapacityProviderStrategy = [] } = input;
      const cluster = await putClusterCapacityProviders(deps, context, name, capacityProviders, defaultCapacityProviderStrategy);
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
