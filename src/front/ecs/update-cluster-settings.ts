import type { UpdateClusterSettingsRequest, UpdateClusterSettingsResponse } from '@aws-sdk/client-ecs';
import type { Operation } from '#gateway/types.ts';
import { updateCluster, type IntentDeps } from '#intent/index.ts';
import { clusterArn, clusterName } from '#domain/arn.ts';
import { settingsOf } from './cluster-input.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function updateClusterSettingsOperation(deps: IntentDeps): Operation<UpdateClusterSettingsRequest, UpdateClusterSettingsResponse> {
  return {
    name: 'UpdateClusterSettings',
    action: 'ecs:UpdateClusterSettings',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      const settings = settingsOf(input.settings);
      const cluster = await updateCluster(deps, context, clusterName(context, input.cluster), { settings });
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
