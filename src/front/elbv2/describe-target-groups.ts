import type { DescribeTargetGroupsCommandInput, DescribeTargetGroupsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import { targetGroupArn, type TargetGroupRecord } from '#domain/load-balancer.ts';
import type { Handler } from '#gateway/types.ts';
import { groupUsers, loadBalancerOf, targetGroupOf, type IntentDeps } from '#intent/index.ts';
import { pageOf } from './input.ts';
import { targetGroupView } from './views.ts';

type Output = Omit<DescribeTargetGroupsCommandOutput, '$metadata'>;

export function describeTargetGroupsOperation(deps: IntentDeps): Handler<DescribeTargetGroupsCommandInput, Output> {
  return {
    name: 'DescribeTargetGroups',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const { LoadBalancerArn: lbArn, TargetGroupArns: arns = [], Names: names = [] } = input;
      if ([lbArn !== undefined, arns.length > 0, names.length > 0].filter(Boolean).length > 1) {
        throw elbFault(
          'ValidationError',
          'Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time',
        );
      }
      const { found, users } = await deps.store.read(async (tx) => {
        const all = await tx.targetGroups.list(scope);
        const users = await groupUsers(tx, scope);
        for (const arn of arns) await targetGroupOf(tx, scope, arn);
        if (names.some((name) => !all.some((group) => group.key.name === name))) {
          throw elbFault('TargetGroupNotFound', 'One or more target groups not found');
        }
        const lb = lbArn === undefined ? undefined : await loadBalancerOf(tx, scope, lbArn);
        const wanted = (group: TargetGroupRecord) =>
          (names.length === 0 || names.includes(group.key.name)) &&
          (arns.length === 0 || arns.includes(targetGroupArn(group))) &&
          (lb === undefined || users.get(targetGroupArn(group))?.some((user) => user.key.name === lb.key.name) === true);
        return { found: all.filter(wanted), users };
      });
      const { page, NextMarker } = pageOf(found, (group) => group.key.name, input);
      return { TargetGroups: page.map((group) => targetGroupView(group, users.get(targetGroupArn(group)) ?? [])), NextMarker };
    },
  };
}
