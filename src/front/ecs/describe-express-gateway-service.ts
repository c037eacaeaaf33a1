import type { DescribeExpressGatewayServiceRequest, DescribeExpressGatewayServiceResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { describeExpress } from './express/describe-express.ts';
import { expressKey, expressService } from './express/express-service.ts';

export function describeExpressGatewayServiceOperation(
  deps: IntentDeps,
): Handler<DescribeExpressGatewayServiceRequest, DescribeExpressGatewayServiceResponse> {
  return {
    name: 'DescribeExpressGatewayService',
    async handle(input, context) {
      const key = expressKey(context, input.serviceArn);
      return { service: await deps.store.read(async (tx) => describeExpress(tx, await expressService(tx, key), input.include ?? [])) };
    },
  };
}
