import type { ListServicesRequest, ListServicesResponse } from '@aws-sdk/client-ecs';
import { clusterArn, clusterName } from '#domain/arn.ts';
import type { Operation } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';

/** No service can be made here yet, so a cluster has none. */
export function listServicesOperation(deps: IntentDeps): Operation<ListServicesRequest, ListServicesResponse> {
  return {
    name: 'ListServices',
    action: 'ecs:ListServices',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      await deps.store.read((tx) => activeCluster(tx, context, clusterName(context, input.cluster)));
      return { serviceArns: [] };
    },
  };
}
