import type { DeleteExpressGatewayServiceRequest, DeleteExpressGatewayServiceResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import { deleteService, type IntentDeps } from '#intent/index.ts';
import { describeExpress } from './express/describe-express.ts';
import { expressKey, expressService } from './express/express-service.ts';

/** Its tasks are drained and end; what was made for it goes with the last of them (control/services). */
export function deleteExpressGatewayServiceOperation(
  deps: IntentDeps,
): Handler<DeleteExpressGatewayServiceRequest, DeleteExpressGatewayServiceResponse> {
  return {
    name: 'DeleteExpressGatewayService',
    async handle(input, context) {
      const key = expressKey(context, input.serviceArn);
      await deps.store.read((tx) => expressService(tx, key));
      const service = await deleteService(deps, context, { cluster: key.cluster, name: key.name, force: true });
      return { service: await deps.store.read((tx) => describeExpress(tx, service, ['TAGS'])) };
    },
  };
}
