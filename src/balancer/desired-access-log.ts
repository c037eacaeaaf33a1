/** Whether and where a listener's requests are logged: by its load balancer's tag. S3, where AWS's own go, isn't here. */
import { loadBalancerArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { ListenerRecord, LoadBalancerRecord, RuleRecord, TargetGroupRecord } from '#domain/load-balancer.ts';
import { tagValue } from '#domain/tag-value.ts';
import type { AccessLogDesired } from './types.ts';

/** Its value is the name of a CloudWatch Logs group. */
export const ACCESS_LOGS_TAG = 'berth:access-logs';

export function accessLogOf(
  lb: LoadBalancerRecord,
  listener: ListenerRecord,
  rules: readonly RuleRecord[],
  groups: readonly TargetGroupRecord[],
): AccessLogDesired | null {
  const group = tagValue(lb.desired.tags, ACCESS_LOGS_TAG);
  if (group === undefined || group === '') return null;
  const { account, region } = lb.key;
  const near = groups.filter(({ key }) => key.account === account && key.region === region);
  return {
    account,
    region,
    group,
    balancer: loadBalancerArn(lb).replace(/^.*:loadbalancer\//, ''),
    balancerId: lb.desired.id,
    certificateArns: listener.desired.certificateArns,
    priorities: { default: 0, ...Object.fromEntries(rules.map((rule) => [rule.key.id, rule.desired.priority])) },
    groupArns: Object.fromEntries(near.map((one) => [one.desired.id, targetGroupArn(one)])),
  };
}
