import type { DeleteLoadBalancerCommandInput, DeleteLoadBalancerCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { deleteLoadBalancer, type IntentDeps } from '#intent/index.ts';

type Output = Omit<DeleteLoadBalancerCommandOutput, '$metadata'>;

export function deleteLoadBalancerOperation(deps: IntentDeps): Handler<DeleteLoadBalancerCommandInput, Output> {
  return {
    name: 'DeleteLoadBalancer',
    async handle(input, { account, region }) {
      const scope = { account, region };
      await deleteLoadBalancer(deps, scope, input.LoadBalancerArn ?? '');
      return {};
    },
  };
}
