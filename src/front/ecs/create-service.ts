import type { CreateServiceRequest, CreateServiceResponse } from '@aws-sdk/client-ecs';
import { clusterName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { createService, type IntentDeps } from '#intent/index.ts';
import { paramsHash } from './params-hash.ts';
import { assertPassDefinition, assertPassToEcs } from './pass-role.ts';
import { describeService } from './service/describe-service.ts';
import { assertCreateInput } from './service/service-input.ts';
import { planCreate } from './service/service-members.ts';

/** Commits the service with its first deployment, and answers before any of its tasks is made. */
export function createServiceOperation(deps: IntentDeps): Handler<CreateServiceRequest, CreateServiceResponse> {
  return {
    name: 'CreateService',
    async handle(input, context) {
      assertCreateInput(input);
      await assertPassDefinition(deps, context, input.taskDefinition);
      await assertPassToEcs(context, input);
      const service = await createService(deps, context, {
        cluster: clusterName(context, input.cluster),
        name: input.serviceName ?? '',
        createdBy: context.principal.arn,
        token: input.clientToken === undefined ? null : { token: input.clientToken, paramsHash: paramsHash(input) },
        plan: (tx, cluster) => planCreate(tx, context, cluster, input),
      });
      return { service: await deps.store.read((tx) => describeService(tx, service, ['TAGS'])) };
    },
  };
}
