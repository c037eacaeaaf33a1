import type { DeleteServiceRequest, DeleteServiceResponse } from '@aws-sdk/client-ecs';
import { clusterName, serviceName } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { deleteService, type IntentDeps } from '#intent/index.ts';
import { describeService } from './service/describe-service.ts';

/** The service is DRAINING from now on; it is described after its end too. */
export function deleteServiceOperation(deps: IntentDeps): Handler<DeleteServiceRequest, DeleteServiceResponse> {
  return {
    name: 'DeleteService',
    async handle(input, context) {
      const cluster = clusterName(context, input.cluster);
      const name = serviceName(context, cluster, input.service ?? '');
      const service = await deleteService(deps, context, { cluster, name, force: input.force ?? false });
      return { service: await deps.store.read((tx) => describeService(tx, service, ['TAGS'])) };
    },
  };
}
