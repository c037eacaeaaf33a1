import type { CreateLoadBalancerCommandInput, CreateLoadBalancerCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { notInBerth } from '#domain/elb-fault.ts';
import type { LoadBalancerType } from '#domain/load-balancer.ts';
import type { Handler } from '#gateway/types.ts';
import { createLoadBalancer, type IntentDeps } from '#intent/index.ts';
import { enumValue, tagsOf } from './input.ts';
import { subnetsOf } from './subnets.ts';
import { loadBalancerView } from './views.ts';

type Output = Omit<CreateLoadBalancerCommandOutput, '$metadata'>;

export function createLoadBalancerOperation(deps: IntentDeps): Handler<CreateLoadBalancerCommandInput, Output> {
  return {
    name: 'CreateLoadBalancer',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const type = typeOf(input);
      if (input.CustomerOwnedIpv4Pool !== undefined || input.IpamPools !== undefined) throw notInBerth('address pools of load balancers');
      const lb = await createLoadBalancer(deps, scope, {
        name: input.Name ?? '',
        type,
        scheme: enumValue(input.Scheme ?? 'internet-facing', ['internet-facing', 'internal'], 'scheme'),
        ipAddressType: input.IpAddressType ?? 'ipv4',
        subnetIds: subnetsOf(input),
        securityGroupIds: input.SecurityGroups ?? [],
        tags: tagsOf(input.Tags),
      });
      return { LoadBalancers: [loadBalancerView(lb, await deps.store.read((tx) => tx.subnets.list(scope)))] };
    },
  };
}

function typeOf(input: CreateLoadBalancerCommandInput): LoadBalancerType {
  const type = enumValue(input.Type ?? 'application', ['application', 'network', 'gateway'], 'type');
  if (type === 'gateway') throw notInBerth('Gateway Load Balancers');
  return type;
}
