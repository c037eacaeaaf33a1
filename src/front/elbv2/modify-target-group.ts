import type { ModifyTargetGroupCommandInput, ModifyTargetGroupCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { targetGroupArn } from '#domain/load-balancer.ts';
import type { Handler } from '#gateway/types.ts';
import { groupUsers, modifyTargetGroup, type IntentDeps } from '#intent/index.ts';
import { healthCheckOf } from './health-check.ts';
import { targetGroupView } from './views.ts';

type Output = Omit<ModifyTargetGroupCommandOutput, '$metadata'>;

export function modifyTargetGroupOperation(deps: IntentDeps): Handler<ModifyTargetGroupCommandInput, Output> {
  return {
    name: 'ModifyTargetGroup',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const group = await modifyTargetGroup(deps, scope, input.TargetGroupArn ?? '', healthCheckOf(input));
      const users = await deps.store.read((tx) => groupUsers(tx, scope));
      return { TargetGroups: [targetGroupView(group, users.get(targetGroupArn(group)) ?? [])] };
    },
  };
}
