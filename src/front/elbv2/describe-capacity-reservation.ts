/** No load balancer has reserved capacity here: there is none to reserve. */
import type {
  DescribeCapacityReservationCommandInput,
  DescribeCapacityReservationCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { loadBalancerOf, type IntentDeps } from '#intent/index.ts';

type Output = Omit<DescribeCapacityReservationCommandOutput, '$metadata'>;

export function describeCapacityReservationOperation(deps: IntentDeps): Handler<DescribeCapacityReservationCommandInput, Output> {
  return {
    name: 'DescribeCapacityReservation',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deps.store.read((tx) => loadBalancerOf(tx, scope, input.LoadBalancerArn ?? ''));
      return { CapacityReservationState: [] };
    },
  };
}
