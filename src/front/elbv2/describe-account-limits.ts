/** The quotas that berth holds callers to, by their names in AWS. */
import type { DescribeAccountLimitsCommandInput, DescribeAccountLimitsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { pageOf } from './input.ts';

type Output = Omit<DescribeAccountLimitsCommandOutput, '$metadata'>;

export function describeAccountLimitsOperation(_deps: IntentDeps): Handler<DescribeAccountLimitsCommandInput, Output> {
  return {
    name: 'DescribeAccountLimits',
    async handle(input) {
      const { page, NextMarker } = pageOf(quotas, ([name]) => name, input);
      return { Limits: page.map(([Name, max]) => ({ Name, Max: String(max) })), NextMarker };
    },
  };
}

const quotas: [string, number][] = [
  ['application-load-balancers', limits.loadBalancersPerRegion],
  ['network-load-balancers', limits.loadBalancersPerRegion],
  ['target-groups', limits.targetGroupsPerRegion],
  ['listeners-per-application-load-balancer', limits.listenersPerLoadBalancer],
  ['listeners-per-network-load-balancer', limits.listenersPerLoadBalancer],
  ['rules-per-application-load-balancer', limits.rulesPerListener],
  ['certificates-per-application-load-balancer', limits.certificatesPerListener],
  ['certificates-per-network-load-balancer', limits.certificatesPerListener],
  ['target-groups-per-application-load-balancer', limits.targetGroupsPerLoadBalancer],
  ['target-groups-per-action-on-application-load-balancer', limits.targetGroupsPerAction],
  ['target-groups-per-action-on-network-load-balancer', limits.targetGroupsPerAction],
  ['condition-values-per-alb-rule', limits.ruleConditionValues],
  ['condition-wildcards-per-alb-rule', limits.ruleWildcards],
  ['targets-per-application-load-balancer', limits.targetsPerGroup],
  ['targets-per-network-load-balancer', limits.targetsPerGroup],
];
