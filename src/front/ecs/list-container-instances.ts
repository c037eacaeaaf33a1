import type { ListContainerInstancesRequest, ListContainerInstancesResponse } from '@aws-sdk/client-ecs';
import { clusterName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';

/** Fargate shows no hosts: the list is empty. */
export function listContainerInstancesOperation(deps: IntentDeps): Handler<ListContainerInstancesRequest, ListContainerInstancesResponse> {
  return {
    name: 'ListContainerInstances',
    async handle(input, context) {
      await deps.store.read((tx) => activeCluster(tx, context, clusterName(context, input.cluster)));
      return { containerInstanceArns: [] };
    },
  };
}
