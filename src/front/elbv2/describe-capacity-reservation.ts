/** No load balancer has reserved capacity here: there is none to reserve. */
import type {
  DescribeCapacityReservationCommandInput,
  DescribeCapacityReservationCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Operation } from '#gateway/types.ts';
import { loadBalancerOf, type IntentDeps } from '#intent/index.ts';

type Output = Omit<DescribeCapacityReservationCommandOutput, '$metadata'>;

export function describeCapacityReservationOperation(deps: IntentDeps): Operation<DescribeCapacityReservationCommandInput, Output> {
  return {
    name: 'DescribeCapacityReservation',
    action: 'elasticloadbalancing:DescribeCapacityReservation',
    resources: (input) => [input.LoadBalancerArn ?? '*'],
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deps.store.read((tx) => loadBalancerOf(tx, scope, input.LoadBalancerArn ?? ''));
      return { CapacityReservationState: [] };
    },
  };
}
