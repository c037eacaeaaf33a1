import type { DescribeContainerInstancesRequest, DescribeContainerInstancesResponse } from '@aws-sdk/client-ecs';
import { clusterName, ecsArn } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';

/** Fargate shows no hosts: every one that is asked for is MISSING. */
export function describeContainerInstancesOperation(
  deps: IntentDeps,
): Handler<DescribeContainerInstancesRequest, DescribeContainerInstancesResponse> {
  return {
    name: 'DescribeContainerInstances',
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
