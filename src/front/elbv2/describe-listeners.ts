import type { DescribeListenersCommandInput, DescribeListenersCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import type { ListenerRecord } from '#domain/load-balancer.ts';
import type { Handler } from '#gateway/types.ts';
import { listenerOf, loadBalancerOf, type IntentDeps } from '#intent/index.ts';
import { pageOf } from './input.ts';
import { listenerView } from './views.ts';

type Output = Omit<DescribeListenersCommandOutput, '$metadata'>;

export function describeListenersOperation(deps: IntentDeps): Handler<DescribeListenersCommandInput, Output> {
  return {
    name: 'DescribeListeners',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const { LoadBalancerArn: lbArn, ListenerArns: arns = [] } = input;
      if (lbArn === undefined && arns.length === 0) {
        throw elbFault('ValidationError', 'You must specify either listener ARNs or a load balancer ARN');
      }
      if (lbArn !== undefined && arns.length > 0) {
        throw elbFault('ValidationError', 'Listener ARNs and a load balancer ARN cannot be specified at the same time');
      }
      const found = await deps.store.read(async (tx) => {
        if (lbArn !== undefined) {
          return await tx.listeners.list({ ...scope, loadBalancer: (await loadBalancerOf(tx, scope, lbArn)).key.name });
        }
        const named: ListenerRecord[] = [];
        for (const arn of new Set(arns)) named.push(await listenerOf(tx, scope, arn));
        return named;
      });
      const { page, NextMarker } = pageOf(found, (listener) => listener.key.id, input);
      return { Listeners: page.map(listenerView), NextMarker };
    },
  };
}
