import type { UpdateTaskProtectionRequest, UpdateTaskProtectionResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clusterName, taskArn } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { protectionEnd, setTaskProtection, type IntentDeps } from '#intent/index.ts';
import { describeProtection, protectionTasks } from './service/protection.ts';

export function updateTaskProtectionOperation(deps: IntentDeps): Handler<UpdateTaskProtectionRequest, UpdateTaskProtectionResponse> {
  return {
    name: 'UpdateTaskProtection',
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const ids = protectionTasks(context, cluster, input.tasks, limits.protectTasks);
      if (input.protectionEnabled === undefined) throw new Fault('InvalidParameter', 'protectionEnabled can not be null.');
      const now = deps.clock.now();
      const until = protectionEnd(now, input.protectionEnabled, input.expiresInMinutes);
      const { tasks, failures } = await setTaskProtection(deps, context, cluster, ids, until);
      return {
        protectedTasks: tasks.map((task) => describeProtection(task, now)),
        failures: failures.map(({ id, reason }) => ({ arn: taskArn({ account, region, cluster, id }), reason })),
      };
    },
  };
}
