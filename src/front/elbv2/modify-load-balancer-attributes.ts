import type {
  ModifyLoadBalancerAttributesCommandInput,
  ModifyLoadBalancerAttributesCommandOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { loadBalancerAttributes } from '#domain/elb-attributes.ts';
import { modifyLoadBalancerAttributes, type IntentDeps } from '#intent/index.ts';
import { attributesOf, attributeViews } from './input.ts';

type Output = Omit<ModifyLoadBalancerAttributesCommandOutput, '$metadata'>;

export function modifyLoadBalancerAttributesOperation(deps: IntentDeps): Handler<ModifyLoadBalancerAttributesCommandInput, Output> {
  return {
    name: 'ModifyLoadBalancerAttributes',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const lb = await modifyLoadBalancerAttributes(deps, scope, input.LoadBalancerArn ?? '', attributesOf(input.Attributes));
      return { Attributes: attributeViews(loadBalancerAttributes(lb.desired)) };
    },
  };
}
