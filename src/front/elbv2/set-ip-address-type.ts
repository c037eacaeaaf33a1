import type { SetIpAddressTypeCommandInput, SetIpAddressTypeCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { setLoadBalancerIpAddressType, type IntentDeps } from '#intent/index.ts';

type Output = Omit<SetIpAddressTypeCommandOutput, '$metadata'>;

export function setIpAddressTypeOperation(deps: IntentDeps): Handler<SetIpAddressTypeCommandInput, Output> {
  return {
    name: 'SetIpAddressType',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const lb = await setLoadBalancerIpAddressType(deps, scope, input.LoadBalancerArn ?? '', input.IpAddressType ?? '');
      return { IpAddressType: lb.desired.ipAddressType as 'ipv4' };
    },
  };
}
