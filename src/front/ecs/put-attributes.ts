import type { PutAttributesRequest, PutAttributesResponse } from '@aws-sdk/client-ecs';
import { clusterName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import { targetNotFound } from './attribute-target.ts';

/** Attributes belong to container instances, and a cluster on Fargate has none: AWS's answer is that there is no such target. */
export function putAttributesOperation(deps: IntentDeps): Handler<PutAttributesRequest, PutAttributesResponse> {
  return {
    name: 'PutAttributes',
    async handle(input, context) {
      await deps.store.read((tx) => activeCluster(tx, context, clusterName(context, input.cluster)));
      throw targetNotFound(input.attributes);
    },
  };
}
