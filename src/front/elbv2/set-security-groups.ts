import type { SetSecurityGroupsCommandInput, SetSecurityGroupsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { setLoadBalancerSecurityGroups, type IntentDeps } from '#intent/index.ts';

type Output = Omit<SetSecurityGroupsCommandOutput, '$metadata'>;

export function setSecurityGroupsOperation(deps: IntentDeps): Handler<SetSecurityGroupsCommandInput, Output> {
  return {
    name: 'SetSecurityGroups',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const lb = await setLoadBalancerSecurityGroups(deps, scope, input.LoadBalancerArn ?? '', input.SecurityGroups ?? []);
      return { SecurityGroupIds: lb.desired.securityGroupIds };
    },
  };
}
