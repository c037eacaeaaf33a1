import type { Failure, GetTaskProtectionRequest, GetTaskProtectionResponse, ProtectedTask } from '@aws-sdk/client-ecs';
import { limits } from '#base/limits.ts';
import { clusterName, taskArn } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { taskProtection, type IntentDeps } from '#intent/index.ts';
import { describeProtection, protectionTasks } from './service/protection.ts';

export function getTaskProtectionOperation(deps: IntentDeps): Handler<GetTaskProtectionRequest, GetTaskProtectionResponse> {
  return {
    name: 'GetTaskProtection',
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const ids = protectionTasks(context, cluster, input.tasks, limits.describeItems);
      const found = await deps.store.read((tx) => taskProtection(tx, context, cluster, ids));
      const protectedTasks: ProtectedTask[] = [];
      const failures: Failure[] = [];
      for (const one of found) {
        if ('reason' in one) failures.push({ arn: taskArn({ account, region, cluster, id: one.id }), reason: one.reason });
        else protectedTasks.push(describeProtection(one, deps.clock.now()));
      }
      return { protectedTasks, failures };
    },
  };
}
