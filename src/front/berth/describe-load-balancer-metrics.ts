/** DescribeLoadBalancerMetrics: what listeners and target groups counted since the control plane began, and where access logs are on how long requests took. */
import { listenerArn, loadBalancerArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { Operation } from '#gateway/types.ts';
import type { BerthApiDeps, TrafficMetrics } from './types.ts';

export function describeLoadBalancerMetrics(deps: BerthApiDeps): Operation {
  return {
    name: 'DescribeLoadBalancerMetrics',
    action: 'berth:DescribeLoadBalancerMetrics',
    resources: () => ['*'],
    async handle(_input, { account, region }) {
      const metrics = deps.traffic();
      const scope = { account, region };
      return await deps.store.read(async (tx) => {
        const balancers = new Map((await tx.loadBalancers.list(scope)).map((lb) => [lb.desired.id, loadBalancerArn(lb)]));
        const listeners = (await tx.listeners.list(scope)).flatMap((listener) => {
          const counted = find(metrics.listeners, listener.key.id);
          const loadBalancer = balancers.get(listener.desired.loadBalancerId);
          return counted === undefined ? [] : [{ loadBalancerArn: loadBalancer, listenerArn: listenerArn(listener), ...counted }];
        });
        const targetGroups = (await tx.targetGroups.list(scope)).flatMap((group) => {
          const counted = find(metrics.groups, group.desired.id);
          return counted === undefined ? [] : [{ targetGroupArn: targetGroupArn(group), ...counted }];
        });
        const loadBalancers = [...balancers].flatMap(([id, arn]) => {
          const counted = find(metrics.loadBalancers ?? [], id);
          return counted === undefined ? [] : [{ loadBalancerArn: arn, ...counted }];
        });
        return { at: metrics.at, loadBalancers, listeners, targetGroups };
      });
    },
  };
}

/** The counters of one, without its id: its ARN names it. */
function find(all: TrafficMetrics['listeners'], wanted: string): Record<string, unknown> | undefined {
  const found = all.find(({ id }) => id === wanted);
  if (found === undefined) return undefined;
  const { id: _, ...counted } = found;
  return counted;
}
