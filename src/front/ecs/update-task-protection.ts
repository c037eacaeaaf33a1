import type { UpdateTaskProtectionRequest, UpdateTaskProtectionResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clusterName, taskArn } from '#domain/arn.ts';
import type { Operation } from '#gateway/types.ts';
import { setTaskProtection, type IntentDeps } from '#intent/index.ts';
import { describeProtection, protectedResources, protectionTasks } from './service/protection.ts';

/** Protection without a time holds for two hours (API reference). */
const DEFAULT_MINUTES = 120;
const MINUTE_MS = 60_000;

export function updateTaskProtectionOperation(deps: IntentDeps): Operation<UpdateTaskProtectionRequest, UpdateTaskProtectionResponse> {
  return {
    name: 'UpdateTaskProtection',
    action: 'ecs:UpdateTaskProtection',
    resources: (input, scope) => protectedResources(scope, input),
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const ids = protectionTasks(context, cluster, input.tasks, limits.protectTasks);
      const minutes = input.expiresInMinutes ?? DEFAULT_MINUTES;
      if (!(Number.isInteger(minutes) && minutes >= 1 && minutes <= limits.protectionMinutes)) {
        throw new Fault('InvalidParameter', `expiresInMinutes must be between 1 and ${limits.protectionMinutes}; it is ${minutes}.`);
      }
      if (input.protectionEnabled === undefined) throw new Fault('InvalidParameter', 'protectionEnabled can not be null.');
      const now = deps.clock.now();
      const until = input.protectionEnabled ? now + minutes * MINUTE_MS : null;
      const { tasks, failures } = await setTaskProtection(deps, context, cluster, ids, until);
      return {
        protectedTasks: tasks.map((task) => describeProtection(task, now)),
        failures: failures.map(({ id, reason }) => ({ arn: taskArn({ account, region, cluster, id }), reason })),
      };
    },
  };
}
