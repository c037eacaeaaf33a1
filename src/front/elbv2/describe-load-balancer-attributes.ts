import type {
  DescribeLoadBalancerAttributesCommandInput,
  DescribeLoadBalancerAttributesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { loadBalancerAttributes } from '#domain/elb-attributes.ts';
import { loadBalancerOf, type IntentDeps } from '#intent/index.ts';
import { attributeViews } from './input.ts';

type Output = Omit<DescribeLoadBalancerAttributesCommandOutput, '$metadata'>;

export function describeLoadBalancerAttributesOperation(deps: IntentDeps): Handler<DescribeLoadBalancerAttributesCommandInput, Output> {
  return {
    name: 'DescribeLoadBalancerAttributes',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const lb = await deps.store.read((tx) => loadBalancerOf(tx, scope, input.LoadBalancerArn ?? ''));
      return { Attributes: attributeViews(loadBalancerAttributes(lb.desired)) };
    },
  };
}
