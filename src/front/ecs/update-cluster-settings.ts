import type { UpdateClusterSettingsRequest, UpdateClusterSettingsResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { updateCluster, type IntentDeps } from '#intent/index.ts';
import { clusterName } from '#domain/arn.ts';
import { settingsOf } from './cluster-input.ts';
import { allFields, describeCluster } from './describe-cluster.ts';

export function updateClusterSettingsOperation(deps: IntentDeps): Handler<UpdateClusterSettingsRequest, UpdateClusterSettingsResponse> {
  return {
    name: 'UpdateClusterSettings',
    async handle(input, context) {
      const settings = settingsOf(input.settings);
      const cluster = await updateCluster(deps, context, clusterName(context, input.cluster), { settings });
      return { cluster: await deps.store.read((tx) => describeCluster(tx, cluster, allFields)) };
    },
  };
}
