import type { UpdateClusterRequest, UpdateClusterResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { updateCluster, type IntentDeps } from '#intent/index.ts';
import { clusterName } from '#domain/arn.ts';
import { checkedConfiguration } from './exec-configuration.ts';
import { serviceConnectDefaultsOf, settingsOf } from './cluster-input.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function updateClusterOperation(deps: IntentDeps): Handler<UpdateClusterRequest, UpdateClusterResponse> {
  return {
    name: 'UpdateCluster',
    async handle(input, context) {
      const cluster = await updateCluster(deps, context, clusterName(context, input.cluster), {
        ...(input.settings === undefined ? {} : { settings: settingsOf(input.settings) }),
        ...(input.configuration === undefined ? {} : { configuration: checkedConfiguration(input.configuration) }),
        ...(input.serviceConnectDefaults === undefined
          ? {}
          : { serviceConnectDefaults: serviceConnectDefaultsOf(input.serviceConnectDefaults) }),
      });
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
