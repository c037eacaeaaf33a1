import type { SetSecurityGroupsCommandInput, SetSecurityGroupsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Operation } from '#gateway/types.ts';
import { setLoadBalancerSecurityGroups, type IntentDeps } from '#intent/index.ts';

type Output = Omit<SetSecurityGroupsCommandOutput, '$metadata'>;

export function setSecurityGroupsOperation(deps: IntentDeps): Operation<SetSecurityGroupsCommandInput, Output> {
  return {
    name: 'SetSecurityGroups',
    action: 'elasticloadbalancing:SetSecurityGroups',
    resources: (input) => [input.LoadBalancerArn ?? '*'],
    async handle(input, { account, region }) {
      const scope = { account, region };
      const lb = await setLoadBalancerSecurityGroups(deps, scope, input.LoadBalancerArn ?? '', input.SecurityGroups ?? []);
      return { SecurityGroupIds: lb.desired.securityGroupIds };
    },
  };
}
