import type { DescribeContainerInstancesRequest, DescribeContainerInstancesResponse } from '@aws-sdk/client-ecs';
import { clusterArn, clusterName, ecsArn } from '#domain/arn.ts';
import type { Operation } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';

/** Fargate shows no hosts: every one that is asked for is MISSING. */
export function describeContainerInstancesOperation(
  deps: IntentDeps,
): Operation<DescribeContainerInstancesRequest, DescribeContainerInstancesResponse> {
  return {
    name: 'DescribeContainerInstances',
    action: 'ecs:DescribeContainerInstances',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      await deps.store.read((tx) => activeCluster(tx, context, cluster));
      const arn = (ref: string) => (ref.startsWith('arn:') ? ref : ecsArn(context, `container-instance/${cluster}/${ref}`));
      return {
        containerInstances: [],
        failures: (input.containerInstances ?? []).map((ref) => ({ arn: arn(ref), reason: 'MISSING' })),
      };
    },
  };
}
