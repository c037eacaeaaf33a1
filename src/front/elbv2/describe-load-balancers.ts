import type { DescribeLoadBalancersCommandInput, DescribeLoadBalancersCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import { loadBalancerArn, type LoadBalancerRecord } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { loadBalancerOf, type IntentDeps } from '#intent/index.ts';
import { pageOf } from './input.ts';
import { loadBalancerView } from './views.ts';

type Output = Omit<DescribeLoadBalancersCommandOutput, '$metadata'>;

export function describeLoadBalancersOperation(deps: IntentDeps): Handler<DescribeLoadBalancersCommandInput, Output> {
  return {
    name: 'DescribeLoadBalancers',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const { LoadBalancerArns: arns = [], Names: names = [] } = input;
      if (arns.length > 0 && names.length > 0) {
        throw elbFault('ValidationError', 'Load balancer names and load balancer ARNs cannot be specified at the same time');
      }
      const { found, subnets } = await deps.store.read(async (tx) => {
        const all = await tx.loadBalancers.list(scope);
        const missing = names.filter((name) => !all.some((lb) => lb.key.name === name));
        if (missing.length > 0) {
          throw elbFault('LoadBalancerNotFound', `Load balancers '[${missing.map((name) => clip(name)).join(', ')}]' not found`);
        }
        for (const arn of arns) await loadBalancerOf(tx, scope, arn);
        const wanted = (lb: LoadBalancerRecord) =>
          (names.length === 0 || names.includes(lb.key.name)) && (arns.length === 0 || arns.includes(loadBalancerArn(lb)));
        return { found: all.filter(wanted), subnets: await tx.subnets.list(scope) };
      });
      const { page, NextMarker } = pageOf(found, (lb) => lb.key.name, input);
      return { LoadBalancers: page.map((lb) => loadBalancerView(lb, subnets)), NextMarker };
    },
  };
}
