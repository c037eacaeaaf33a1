import type {
  DescribeServiceDeploymentsRequest,
  DescribeServiceDeploymentsResponse,
  Failure,
  ServiceDeployment,
} from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { describeServiceDeployment } from './service/describe-service-deployment.ts';
import { assertArns, partKey } from './service/parts-input.ts';

/** What isn't there is a failure MISSING. */
export function describeServiceDeploymentsOperation(
  deps: IntentDeps,
): Handler<DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse> {
  return {
    name: 'DescribeServiceDeployments',
    async handle(input, context) {
      const arns = assertArns(input.serviceDeploymentArns, 'serviceDeploymentArns');
      const keys = arns.map((arn) => ({ arn, key: partKey(context, 'service-deployment', arn) }));
      return await deps.store.read(async (tx) => {
        const serviceDeployments: ServiceDeployment[] = [];
        const failures: Failure[] = [];
        for (const { arn, key } of keys) {
          const record = await tx.serviceDeployments.get(key);
          if (record === undefined) failures.push({ arn, reason: 'MISSING' });
          else serviceDeployments.push(await describeServiceDeployment(tx, record));
        }
        return { serviceDeployments, failures };
      });
    },
  };
}
