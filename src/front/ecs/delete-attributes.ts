import type { DeleteAttributesRequest, DeleteAttributesResponse } from '@aws-sdk/client-ecs';
import { clusterName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { targetNotFound } from './attribute-target.ts';

/** As PutAttributes: without container instances there is no target. */
export function deleteAttributesOperation(deps: IntentDeps): Handler<DeleteAttributesRequest, DeleteAttributesResponse> {
  return {
    name: 'DeleteAttributes',
    async handle(input, context) {
      await deps.store.read((tx) => activeCluster(tx, context, clusterName(context, input.cluster)));
      throw targetNotFound(input.attributes);
    },
  };
}
