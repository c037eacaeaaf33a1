import type { CreateClusterRequest, CreateClusterResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { createCluster, type IntentDeps } from '#intent/index.ts';
import { assertTags } from '#domain/tags.ts';
import { allFields, describeCluster } from './describe-cluster.ts';
import { checkedConfiguration } from './exec-configuration.ts';
import { serviceConnectDefaultsOf, settingsOf } from './cluster-input.ts';

/** Idempotent by name: an ACTIVE cluster of that name is returned as it is. */
export function createClusterOperation(deps: IntentDeps): Handler<CreateClusterRequest, CreateClusterResponse> {
  return {
    name: 'CreateCluster',
    async handle(input, context) {
      const cluster = await createCluster(deps, context, context.principal.arn, {
        name: input.clusterName,
        tags: assertTags(input.tags ?? []),
        settings: settingsOf(input.settings),
        configuration: input.configuration === undefined ? null : checkedConfiguration(input.configuration),
        capacityProviders: input.capacityProviders ?? [],
        defaultStrategy: input.defaultCapacityProviderStrategy ?? [],
        serviceConnectDefaults: serviceConnectDefaultsOf(input.serviceConnectDefaults),
      });
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
