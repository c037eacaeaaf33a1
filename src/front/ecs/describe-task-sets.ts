import type { DescribeTaskSetsRequest, DescribeTaskSetsResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clusterName, serviceName, taskSetArn } from '#domain/arn.ts';
import type { Handler } from '#gateway/types.ts';
import { activeCluster, activeService, type IntentDeps } from '#intent/index.ts';
import { describeTaskSets, revisionIdOf } from './service/describe-task-set.ts';
import { taskSetId } from './service/task-set-input.ts';

/** All of a service where the call names none. What isn't there is a failure MISSING. */
export function describeTaskSetsOperation(deps: IntentDeps): Handler<DescribeTaskSetsRequest, DescribeTaskSetsResponse> {
  return {
    name: 'DescribeTaskSets',
    async handle(input, context) {
      const { account, region } = context;
      const cluster = clusterName(context, input.cluster);
      const key = { account, region, cluster, name: serviceName(context, cluster, input.service ?? '') };
      const ids = [...new Set((input.taskSets ?? []).map((ref) => taskSetId(context, cluster, key.name, ref)))];
      if (ids.length > limits.describeItems) {
        throw new Fault('InvalidParameter', `taskSets can have at most ${limits.describeItems} items; there are ${ids.length}.`);
      }
      return await deps.store.read(async (tx) => {
        await activeCluster(tx, context, cluster);
        const all = await describeTaskSets(tx, await activeService(tx, key), input.include ?? []);
        if (ids.length === 0) return { taskSets: all, failures: [] };
        const missing = ids.filter((id) => !all.some((set) => set.id === id));
        return {
          taskSets: all.filter((set) => ids.includes(set.id ?? '')),
          failures: missing.map((id) => ({ arn: taskSetArn(key, cluster, key.name, revisionIdOf(id)), reason: 'MISSING' })),
        };
      });
    },
  };
}
