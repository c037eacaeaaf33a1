import type { UpdateServiceRequest, UpdateServiceResponse } from '@aws-sdk/client-ecs';
import { clusterName, serviceName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { updateService, type IntentDeps } from '#intent/index.ts';
import { assertPassDefinition, assertPassToEcs } from './pass-role.ts';
import { describeService } from './service/describe-service.ts';
import { planUpdate } from './service/service-members.ts';

/** Members that are left out stay as they are. What makes other tasks starts a deployment, the rest doesn't. */
export function updateServiceOperation(deps: IntentDeps): Handler<UpdateServiceRequest, UpdateServiceResponse> {
  return {
    name: 'UpdateService',
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      await assertPassDefinition(deps, context, input.taskDefinition);
      await assertPassToEcs(context, input);
      const service = await updateService(deps, context, {
        cluster,
        name: serviceName(context, cluster, input.service ?? ''),
        plan: (tx, record, present) => planUpdate(tx, context, record, present, input),
      });
      return { service: await deps.store.read((tx) => describeService(tx, service, ['TAGS'])) };
    },
  };
}
