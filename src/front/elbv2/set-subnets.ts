import type { SetSubnetsCommandInput, SetSubnetsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { setLoadBalancerSubnets, type IntentDeps } from '#intent/index.ts';
import { enumValue } from './input.ts';
import { subnetsOf } from './subnets.ts';
import { loadBalancerView } from './views.ts';

type Output = Omit<SetSubnetsCommandOutput, '$metadata'>;

export function setSubnetsOperation(deps: IntentDeps): Handler<SetSubnetsCommandInput, Output> {
  return {
    name: 'SetSubnets',
    async handle(input, { account, region }) {
      const scope = { account, region };
      if (input.IpAddressType !== undefined) enumValue(input.IpAddressType, ['ipv4'], 'ipAddressType');
      const lb = await setLoadBalancerSubnets(deps, scope, input.LoadBalancerArn ?? '', subnetsOf(input));
      const view = loadBalancerView(lb, await deps.store.read((tx) => tx.subnets.list(scope)));
      return { AvailabilityZones: view.AvailabilityZones, IpAddressType: view.IpAddressType };
    },
  };
}
