import type { DeleteAttributesRequest, DeleteAttributesResponse } from '@aws-sdk/client-ecs';
import { clusterArn, clusterName } from '#domain/arn.ts';
import type { Operation } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { targetNotFound } from './attribute-target.ts';

/** As PutAttributes: without container instances there is no target. */
export function deleteAttributesOperation(deps: IntentDeps): Operation<DeleteAttributesRequest, DeleteAttributesResponse> {
  return {
    name: 'DeleteAttributes',
    action: 'ecs:DeleteAttributes',
    resources: (input, scope) => [clusterArn(scope, clusterName(scope, input.cluster))],
    async handle(input, context) {
      await deps.store.read((tx) => activeCluster(tx, context, clusterName(context, input.cluster)));
      throw targetNotFound(input.attributes);
    },
  };
}
