import type { ListContainerInstancesRequest, ListContainerInstancesResponse } from '@aws-sdk/client-ecs';
import { clusterArn, clusterName } from '#domain/arn.ts';
import type { Operation } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';

/** Fargate shows no hosts: the list is empty. */
export function listContainerInstancesOperation(
  deps: IntentDeps,
): Operation<ListContainerInstancesRequest, ListContainerInstancesResponse> {
  return {
    name: 'ListContainerInstances',
    action: 'ecs:ListContainerInstances',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      await deps.store.read((tx) => activeCluster(tx, context, clusterName(context, input.cluster)));
      return { containerInstanceArns: [] };
    },
  };
}
